"""Backbones: networks that turn a condition and codes into images."""
