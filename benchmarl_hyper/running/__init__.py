"""A run: its experiment, folder, checkpoints, records and sweeps. No model is known here."""
