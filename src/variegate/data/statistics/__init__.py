"""What is rare in a data set, and which pairs are alike."""
