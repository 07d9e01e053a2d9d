"""Callbacks that gather, call a measure and log."""
