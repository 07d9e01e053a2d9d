"""Draw evaluation episodes of finished runs as moving pictures."""

from benchmarl_hyper.terminal import stays_light

if not stays_light():
    from benchmarl_hyper.replay.film import replay

__all__ = ["replay"]
