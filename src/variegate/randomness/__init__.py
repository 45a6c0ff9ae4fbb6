"""Where chance enters a backbone: each file is one way for a convolution to read a code."""
