"""Conditions that are derived from the image itself."""
