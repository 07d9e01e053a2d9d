"""The parts that models have in common: adapter, recurrence, cache and callbacks of methods."""
