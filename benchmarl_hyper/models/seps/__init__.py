"""SePS (arXiv 2102.07475): a network per cluster of agents."""
