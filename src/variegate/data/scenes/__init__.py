"""Editing, animating and displaying label maps."""
