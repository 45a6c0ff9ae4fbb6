"""Honest measuring: no number without its protocol."""
