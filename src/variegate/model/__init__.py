"""The user-facing model: a trained generator, its samples, and its likelihood of given images."""
