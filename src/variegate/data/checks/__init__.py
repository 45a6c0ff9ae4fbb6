"""Checks of a data set, reported in words."""
