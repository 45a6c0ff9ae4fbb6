"""Pages: reports as HTML, with their figures."""
