"""Several seeds of one setting, trained in one process: fixed costs are paid once per call."""
