"""What a folder or file is, worked out before its images are decoded."""
