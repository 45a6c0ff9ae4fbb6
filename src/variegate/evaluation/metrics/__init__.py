"""Metrics: each computes values of images, and knows no model."""
