"""Every global change to BenchMARL and torchrl, and one function that installs them."""
