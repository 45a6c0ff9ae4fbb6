"""Objectives: what is optimised, by whom and in which order."""
