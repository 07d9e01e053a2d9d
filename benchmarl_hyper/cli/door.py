"""One door to all commands: ``benchmarl-hyper COMMAND ...``."""

from __future__ import annotations

import runpy
import sys

from benchmarl_hyper.terminal import nearest

# Each command's module, and what it does
COMMANDS = {
    "run": ("run", "train one run, or many with -m; BenchMARL's command line and variant=NAME"),
    "advise": ("advise", "how much the agents of a task should share, within a budget"),
    "status": ("status", "how far a sweep is"),
    "report": ("report", "compare finished runs in one HTML file"),
    "export": ("export", "every agent's own network from a checkpoint"),
    "replay": ("replay", "a policy's episode as a moving picture"),
    "observations": ("observations", "record what agents see, to measure diversity on it"),
    "tasks": ("tasks", "the paper's tasks, and what they need"),
    "variants": ("cli.variants", "the ways of sharing, and what they need"),
    "doctor": ("cli.doctor", "what is installed, and what would not work"),
}


def usage() -> str:
    """Return the list of commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: benchmarl-hyper COMMAND ...",
            "",
            "How much should agents share? HyperMARL and its baselines for BenchMARL.",
            "",
            "commands:",
            *lines,
            "",
            "benchmarl-hyper COMMAND --help says more about a command.",
        ]
    )


def main() -> None:
    """Run the command that the command line names, as ``python -m`` runs its module.

    Raises:
        SystemExit: if there is no such command; the message names the nearest one.
    """
    name, *words = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
        return
    if name not in COMMANDS:
        sys.exit(f"unknown command '{name}'{nearest(name, COMMANDS)}\n\n{usage()}")
    sys.argv = [f"benchmarl-hyper {name}", *words]
    runpy.run_module(f"benchmarl_hyper.{COMMANDS[name][0]}", run_name="__main__", alter_sys=True)
