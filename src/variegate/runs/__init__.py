"""What a run is made of: its settings, checkpoints, logs and saved model."""
