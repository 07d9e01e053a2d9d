"""Writers of figures, tables and results, for the page and for files."""
