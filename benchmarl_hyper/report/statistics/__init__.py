"""Statistics of runs: numbers with their intervals."""
