"""Algorithms beyond BenchMARL's nine."""
