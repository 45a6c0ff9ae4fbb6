"""Masked layers, their cached steps, and layers for conditions and colours."""
