"""Where the code enters a network; each file is one way for a convolution to read it."""
