"""Networks over subgraphs, and the batches that they read."""
