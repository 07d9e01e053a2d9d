"""Put our YAML files on Hydra's search path and our models into BenchMARL's registry."""

from __future__ import annotations

import sys
import warnings

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class BenchmarlHyperSearchPath(SearchPathPlugin):
    """A plugin that makes ``model=layers/hypermarl_mlp`` work in BenchMARL's own command line.

    Hydra loads its plugins in every application on the machine. This one therefore imports our
    package only where BenchMARL is in use, and warns instead of failing if the import fails.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append ``pkg://benchmarl_hyper.conf`` and register the models, if BenchMARL is loaded."""
        if "benchmarl" not in sys.modules:
            return
        search_path.append("benchmarl_hyper", "pkg://benchmarl_hyper.conf")
        try:
            import benchmarl_hyper  # noqa: F401
        except Exception as error:
            warnings.warn(f"benchmarl_hyper could not register its models: {error}", stacklevel=2)
