"""Algorithms beyond BenchMARL's nine: HAPPO, TD3, and PPO as in HyperMARL's code."""
