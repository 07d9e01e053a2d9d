"""Kaleidoscope (arXiv 2410.08540): each agent masks weights of one shared network."""
