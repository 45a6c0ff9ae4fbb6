"""Who tells real images from drawn ones."""
