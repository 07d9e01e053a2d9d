"""Put the package's YAML on Hydra's search path and its models into BenchMARL's registry."""

from __future__ import annotations

import importlib
import sys
import warnings

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class BenchmarlHyperSearchPath(SearchPathPlugin):
    """Makes ``model=layers/hypermarl_mlp`` work in BenchMARL's own command line.

    Hydra loads this in every application on the machine. So it imports the package only where
    BenchMARL is in use, and a failure there is a warning.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append ``pkg://benchmarl_hyper.conf``; with BenchMARL loaded, register the models."""
        if "benchmarl" not in sys.modules:
            return
        search_path.append("benchmarl_hyper", "pkg://benchmarl_hyper.conf")
        try:
            importlib.import_module("benchmarl_hyper")
        except Exception as error:
            warnings.warn(f"benchmarl_hyper could not register its models: {error}", stacklevel=2)
