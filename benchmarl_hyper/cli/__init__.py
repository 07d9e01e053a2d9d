"""The console script ``benchmarl-hyper``, and the commands that only it has."""
