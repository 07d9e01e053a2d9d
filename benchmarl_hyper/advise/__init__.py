"""How much should my agents share? ``python -m benchmarl_hyper.advise`` answers it for a task."""
