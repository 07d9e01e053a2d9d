"""The paper's environments as BenchMARL tasks, one family per file."""
