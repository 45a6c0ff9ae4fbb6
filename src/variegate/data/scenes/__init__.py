"""Label maps that are edited, animated and shown."""
