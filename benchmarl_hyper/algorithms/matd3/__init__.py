"""TD3 (arXiv 1802.09477) for teams: MATD3 and ITD3."""
