"""Extract policies from a run, and start a larger team from a smaller one."""

from benchmarl_hyper.terminal import stays_light

if not stays_light():
    from benchmarl_hyper.export.agent_networks import agent_networks
    from benchmarl_hyper.export.larger_teams import add_agents
    from benchmarl_hyper.export.policies import export, load_policies
    from benchmarl_hyper.running.saved_settings import settings_of

__all__ = ["add_agents", "agent_networks", "export", "load_policies", "settings_of"]
