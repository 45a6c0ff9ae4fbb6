"""Discriminators, which tell real images from generated ones."""
