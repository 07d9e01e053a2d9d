"""Algorithms beyond BenchMARL's nine: HAPPO, TD3, A2C, and PPO as in HyperMARL's code."""
