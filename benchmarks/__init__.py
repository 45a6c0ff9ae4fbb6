"""What the library costs and what it achieves, measured; results are JSON under `results`."""
