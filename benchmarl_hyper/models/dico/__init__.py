"""DiCo (arXiv 2405.15054): policies with a diversity that the user chooses."""
