"""HyperMARL (arXiv 2412.04233): hypernetworks write the weights of each agent's network."""
