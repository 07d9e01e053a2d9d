"""The base class of callbacks that carry out a method; ``conf/method`` has their values.

Some methods need more than a model: something has to happen between training steps. Their variants
add a callback to the run.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_type_hints

from benchmarl.models.common import Model

from benchmarl_hyper.conf_files import CONF, typed_values, yaml_schema
from benchmarl_hyper.running.callbacks import RunCallback

M = TypeVar("M", bound=Model)


class MethodCallback(RunCallback):
    """A callback whose arguments are typed, and are the keys of ``conf/method/<name>.yaml``."""

    conf: ClassVar[Path] = CONF  # the folder that has the shipped values in method

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

        Raises:
            ValueError: if a key is unknown, if a value does not have its type, or if the file is
                for another method; the message names the file and the key.
        """
        shipped = cls.conf / "method" / f"{cls.method()}.yaml"
        values = typed_values(cls.yaml_schema(), shipped, path)
        if (name := values.pop("name")) != cls.method():
            raise ValueError(f"{path}: name is '{name}', but these are values of '{cls.method()}'")
        return cls(**values | changes)

    @classmethod
    @cache
    def yaml_schema(cls) -> type:
        """Return the dataclass that types the method's YAML files: ``name`` and the arguments."""
        hints = {k: hint for k, hint in get_type_hints(cls.__init__).items() if k != "return"}
        return yaml_schema(cls.__name__, {"name": str} | hints, cls.__module__)

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
