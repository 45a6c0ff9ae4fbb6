"""Every randomness with every objective, for equally many seconds."""
