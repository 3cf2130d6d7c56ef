"""Training: parts of a step that torch has too, in less time, and fitting a part of a model."""
