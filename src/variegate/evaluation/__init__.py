"""Honest evaluation: no metric without its protocol."""
