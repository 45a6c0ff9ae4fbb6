"""Conditions that are made from the image itself."""
