"""Readers of what runs have written."""
