"""Recommenders of our own, one per file; the file is named like its class in lower case."""
