"""Runs of any model: their experiments, folders, checkpoints, records and sweeps."""
