"""The sections of the page, with their sentences and captions."""
