"""One way to retrieve per file."""
