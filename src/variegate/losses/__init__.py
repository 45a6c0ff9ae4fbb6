"""Pure functions of tensors, one per equation."""
