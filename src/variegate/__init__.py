"""One condition, many images."""
