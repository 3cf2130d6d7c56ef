"""Language models: text encoders now, profile writers and graph language models beside them."""
