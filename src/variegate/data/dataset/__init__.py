"""Pairs of condition and image, and the order in which training visits them."""
