"""Benchmarks of what the library costs and achieves; results are JSON files under `results`."""
