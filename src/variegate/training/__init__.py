"""One training loop for every method, its checkpoints, logs and watch for collapse."""
