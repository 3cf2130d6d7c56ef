"""Torch code: losses, transfer, recommenders. Knows tensors and RecBole models, no YAML."""
