"""HAPPO (arXiv 2109.11251): agents learn one after the other."""
