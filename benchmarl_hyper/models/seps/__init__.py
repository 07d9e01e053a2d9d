"""SePS (arXiv 2102.07475): one network per cluster of agents."""
