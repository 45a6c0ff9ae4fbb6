"""What is optimised, by whom, in which order."""
