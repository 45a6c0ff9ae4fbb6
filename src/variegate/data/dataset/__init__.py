"""Pairs of condition and image, and which of them is visited when."""
