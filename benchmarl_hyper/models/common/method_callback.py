"""The base class of callbacks that carry out a method; ``conf/method`` has their values.

Some methods need more than a model: something has to happen between training steps. Their variants
add a callback to the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from benchmarl.models.common import Model

from benchmarl_hyper.conf_files import CONF, read_yaml
from benchmarl_hyper.running.callbacks import RunCallback

M = TypeVar("M", bound=Model)


class MethodCallback(RunCallback):
    """A callback whose arguments are typed, and are the keys of ``conf/method/<name>.yaml``."""

    @classmethod
    def method(cls) -> str:
        """Return the name in YAML and on the command line: ``seps`` for ``SepsCallback``."""
        return cls.__name__.removesuffix("Callback").lower()

    @classmethod
    def get_from_yaml(cls, path: str | None = None, **changes: Any):
        """Load the shipped values, overridden by those of a YAML file.

        Args:
            path: a YAML file with any of the keys; None for the shipped values alone.
            **changes: values that override both.
        """
        values = read_yaml(CONF / "method" / f"{cls.method()}.yaml")
        if path is not None:
            values |= read_yaml(Path(path))
        del values["name"]
        return cls(**values | changes)

    def policy_models(self, kind: type[M]) -> dict[str, M]:
        """Return the method's policy model for each group with more than one agent.

        Args:
            kind: class of the model.

        Raises:
            ValueError: if the policy of such a group is not one model of this class for all agents.
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
                    f"model=layers/{self.method()}, and choose an algorithm whose agents may share "
                    "a model, unlike those of happo"
                )
            models[group] = found[0]
        return models
