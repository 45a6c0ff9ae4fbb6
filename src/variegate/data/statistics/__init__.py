"""Rarity and similarity of the pairs of a data set."""
