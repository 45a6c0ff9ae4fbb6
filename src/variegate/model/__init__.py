"""What a user holds: a trained generator, what it draws, and what it says of images."""
