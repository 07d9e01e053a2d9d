"""Figures and tables, as files and for the page."""
