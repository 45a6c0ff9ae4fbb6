"""What a million images, or a whole training, would cost on many GPUs: a simulation from measurements and counts."""
