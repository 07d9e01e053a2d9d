"""Say what is installed, and what would not work: ``benchmarl-hyper doctor``."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

from packaging.requirements import Requirement

from benchmarl_hyper.terminal import last_line, table

PACKAGE = "benchmarl-hyper"
# What a process of its own finds when it imports everything
PROBE = """
import json, torch, benchmarl_hyper
from benchmarl.algorithms import algorithm_config_registry
from benchmarl.environments import task_config_registry
from benchmarl.models import model_config_registry
from benchmarl_hyper.conf_files import CONF
cuda = torch.cuda.is_available()
print(json.dumps({
    "configuration": str(CONF),
    "models": len(model_config_registry),
    "algorithms": len(algorithm_config_registry),
    "tasks": len(task_config_registry),
    "device": torch.cuda.get_device_name() if cuda else "cpu",
    "threads": torch.get_num_threads(),
}))
"""
IN_DEVELOPMENT = {"test", "dev"}  # extras of no interest to users


class Bad(NamedTuple):
    """Versions that do not work together, and the remedy."""

    packages: tuple[str, ...]
    what: str
    remedy: str


KNOWN = (
    Bad(
        ("pettingzoo>=1.27", "torchrl<0.12"),
        "PettingZoo tasks fail, since torchrl imports pettingzoo.mpe, which is gone",
        "pip install pettingzoo==1.24.3",
    ),
    Bad(
        ("hydra-core>=1.4.0rc0",),
        "BenchMARL's own configuration cannot override `model`",
        'pip install "hydra-core<1.4"',
    ),
)


def found(requirement: Requirement) -> str:
    """Return the installed version of a package; empty if there is none."""
    try:
        return version(requirement.name)
    except PackageNotFoundError:
        return ""


def holds(requirement: Requirement) -> bool:
    """Return whether an installed version fulfils a requirement."""
    installed = found(requirement)
    return bool(installed) and requirement.specifier.contains(installed, prereleases=True)


def requirements(extra: str = "") -> list[Requirement]:
    """Return what this package needs here: always, or for an extra in addition."""
    lines = map(Requirement, requires(PACKAGE) or [])
    own = [line for line in lines if line.name != PACKAGE]
    applying = [r for r in own if r.marker is None or r.marker.evaluate({"extra": extra})]
    always = {str(r) for r in own if r.marker is None or r.marker.evaluate({"extra": ""})}
    return [r for r in applying if not extra or str(r) not in always]


def extras() -> list[str]:
    """Return the extras that users install."""
    lines = map(Requirement, requires(PACKAGE) or [])
    named = [str(line.marker).rpartition("extra == ")[2].strip("\"'") for line in lines]
    return [x for x in dict.fromkeys(named) if x != "None" and x not in IN_DEVELOPMENT]


def problems() -> Iterator[str]:
    """Yield what would break, each with its remedy."""
    for requirement in requirements():
        if not holds(requirement):
            installed = found(requirement) or "missing"
            yield (
                f"{requirement.name} is {installed}, but {requirement.name}{requirement.specifier} "
                f'is needed: pip install "{requirement.name}{requirement.specifier}"'
            )
    for bad in KNOWN:
        if all(map(holds, map(Requirement, bad.packages))):
            yield f"{' with '.join(bad.packages)}: {bad.what}: {bad.remedy}"


def probe() -> tuple[dict[str, object], str]:
    """Import everything in a process of its own; return what it found, and what it raised."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        return {}, last_line(done.stderr)
    return json.loads(last_line(done.stdout)), ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print versions, extras, and what an import finds.

    Args:
        arguments: none are known but ``--help``; None for the words of this process's command line.

    Raises:
        SystemExit: with 1 if something would break.
    """
    parser = argparse.ArgumentParser(
        prog="benchmarl-hyper doctor", description="Say what is installed, and what would break."
    )
    parser.parse_args(arguments)
    rows = [[r.name, found(r) or "missing", str(r.specifier) or "any"] for r in requirements()]
    here = [["python", platform.python_version(), ""], [PACKAGE, version(PACKAGE), ""]]
    print(table([["package", "installed", "needed"], *here, *rows]), end="\n\n")
    rows = []
    for extra in extras():
        missing = [r.name for r in requirements(extra) if not holds(r)]
        line = f'pip install "{PACKAGE}[{extra}]"' if missing else ""
        rows.append([extra, ", ".join(missing) or "none", line])
    print(table([["extra", "missing", "to install it"], *rows]), end="\n\n")
    facts, error = probe()
    print("\n".join(f"{name}: {value}" for name, value in facts.items()), end="\n\n")
    broken = [*problems(), *([f"import benchmarl_hyper fails: {error}"] if error else [])]
    print("\n".join(broken) or "Nothing is known to break.")
    if broken:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
