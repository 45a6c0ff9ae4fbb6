"""Small trainings that show the library working: streets, likelihood of digits, MR-GAN's ring."""
