"""What a condition is: read, encoded, shown."""
