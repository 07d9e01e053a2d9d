"""Policies out of a run, and larger teams from a smaller one."""
