"""Files of runs in, runs out."""
