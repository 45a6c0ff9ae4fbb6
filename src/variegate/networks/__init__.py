"""Parts shared by generators and objectives: normalisations, discriminators, perceptual features, weights."""
