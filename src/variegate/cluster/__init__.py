"""Many processes and machines: bulk sampling in shards, alone, under torchrun or on Ray; applications on Ray Serve."""
