"""Parts of a training step that torch has too, in less time."""
