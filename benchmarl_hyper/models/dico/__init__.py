"""DiCo (arXiv 2405.15054): agents differ by as much as one asks for."""
