"""One graph convolution per file."""
