"""Hydra configuration of benchmarl_hyper, on the search path of every BenchMARL run."""
