"""Drawn streets, whose true distribution is known."""
