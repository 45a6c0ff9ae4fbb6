"""Masked layers, their cached steps, and what conditions and colours need."""
