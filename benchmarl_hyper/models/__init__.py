"""A BenchMARL model per way of sharing."""
