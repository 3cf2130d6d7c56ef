"""Fewer dimensions for vectors, one method a file: row i stays row i, and the same seed gives the same result."""
