"""A package in Hydra's namespace for plugins, which Hydra imports in every application."""
