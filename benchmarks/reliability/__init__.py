"""What interruptions and bad input do to a run: `python -m benchmarks.reliability`."""
