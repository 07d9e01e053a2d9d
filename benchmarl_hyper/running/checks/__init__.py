"""What is checked before a run starts: command line, files, settings."""
