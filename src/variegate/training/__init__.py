"""One training loop for every method, with checkpoints, logs and collapse detection."""
