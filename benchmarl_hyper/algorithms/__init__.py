"""Algorithms beyond BenchMARL's nine: HAPPO, and PPO with the settings of HyperMARL's code."""
