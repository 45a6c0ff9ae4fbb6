"""Human studies of images: real or fake, which of two, and rankings, in a browser, with answers in a database."""
