"""Reports on what is wrong with a data set, in words."""
