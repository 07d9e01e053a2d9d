"""BenchMARL models: one module or folder for each way of sharing parameters."""
