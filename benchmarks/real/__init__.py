"""Equal minutes for every method on real pictures and on streets: `python -m benchmarks.real`."""
