"""Robust reading of single files: images, label maps, vectors, landmarks, arrays."""
