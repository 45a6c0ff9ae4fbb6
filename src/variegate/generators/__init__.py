"""Backbones: networks that map a condition and codes to images."""
