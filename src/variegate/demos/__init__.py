"""Small training runs that demonstrate the library: streets, the likelihood of digits, MR-GAN's ring."""
