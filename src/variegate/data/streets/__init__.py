"""Synthetic streets, whose true distribution is known."""
