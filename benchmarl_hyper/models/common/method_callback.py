"""What the callbacks of a method have in common: its variant sets them, ``conf/method`` has values.

A method is a way of sharing that is more than a model: something happens between training steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from benchmarl.models.common import Model

from benchmarl_hyper.conf_files import CONF, read_yaml
from benchmarl_hyper.running.callbacks import RunCallback

M = TypeVar("M", bound=Model)


class MethodCallback(RunCallback):
    """A callback whose arguments are the keys of ``conf/method/<name>.yaml``, and typed."""

    @classmethod
    def method(cls) -> str:
        """The name in YAML and on the command line: ``SepsCallback`` is ``seps``."""
        return cls.__name__.removesuffix("Callback").lower()

    @classmethod
    def get_from_yaml(cls, path: str | None = None, **changes: Any):
        """Load the shipped values, or a YAML file's over them.

        Args:
            path: a YAML file with any of the keys; None for the shipped values alone.
            **changes: of single values.
        """
        values = read_yaml(CONF / "method" / f"{cls.method()}.yaml")
        if path is not None:
            values |= read_yaml(Path(path))
        del values["name"]
        return cls(**values | changes)

    def policy_models(self, kind: type[M]) -> dict[str, M]:
        """The method's policy model of every group with more than one agent.

        Raises:
            ValueError: if a group's policy is not one such model for all its agents.
        """
        run, models = self.experiment, {}
        for group, agents in run.group_map.items():
            policy = run.algorithm.get_policy_for_loss(group)
            found = [m for m in policy.modules() if isinstance(m, kind)]
            if len(agents) == 1:
                continue
            if len(found) != 1 or found[0].n_agents != len(agents):
                raise ValueError(
                    f"{type(self).__name__} needs one {kind.__name__} as policy of all "
                    f"{len(agents)} agents of group '{group}', but there are {len(found)}; set "
                    f"model=layers/{self.method()}, and an algorithm whose agents may share, which "
                    "those of happo may not"
                )
            models[group] = found[0]
        return models
