"""One file read robustly: images, label maps, vectors, landmarks, arrays."""
