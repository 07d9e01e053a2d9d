"""Runs in, numbers with intervals out."""
