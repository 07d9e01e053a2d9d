"""Hydra's namespace for plugins; Hydra imports this in every application."""
