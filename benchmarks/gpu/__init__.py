"""What one graphics card does: `python -m benchmarks.gpu` fills results/gpu.json row by row, in twenty minutes."""
