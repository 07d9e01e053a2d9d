"""The base of our algorithms' configurations: values come from ``conf/algorithm``."""

from __future__ import annotations

import re

from benchmarl.algorithms.common import AlgorithmConfig

from benchmarl_hyper.conf_files import CONF, typed_values


class ShippedConfig(AlgorithmConfig):
    """A configuration whose values are in ``conf/algorithm/<name>.yaml``.

    The name is that of the algorithm's class in snake case: ``ippo_paper`` for ``IppoPaper``.
    """

    @classmethod
    def get_from_yaml(cls, path: str | None = None):
        """Load the shipped values, overridden by those of a YAML file.

        Args:
            path: a YAML file with any of the keys; None for the shipped values alone.

        Raises:
            ValueError: if a key is unknown, or if a value does not have its type; the message names
                the file and the key.
        """
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.associated_class().__name__).lower()
        return cls(**typed_values(cls, CONF / "algorithm" / f"{name}.yaml", path))
