"""Put our YAML files on Hydra's search path and our models into BenchMARL's registry."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

OURS, BENCHMARL = "pkg://benchmarl_hyper.conf", "pkg://benchmarl.conf"


class BenchmarlHyperSearchPath(SearchPathPlugin):
    """A plugin that makes ``model=layers/hypermarl_mlp`` work in BenchMARL's own command line.

    Hydra loads its plugins in every application on the machine. This one therefore imports our
    package only where BenchMARL is in use, and warns instead of failing if the import fails.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Complete the search path and register the models, if BenchMARL is loaded.

        What is added here is searched before the folder of ``--config-dir``. In our own runner,
        BenchMARL's files are added, so that no file of a user's folder can replace one of them; in
        every other application, ours.
        """
        if "benchmarl" not in sys.modules:
            return
        try:
            from benchmarl_hyper.conf_files import CONF
        except Exception as error:
            warnings.warn(f"benchmarl_hyper could not register its models: {error}", stacklevel=2)
            search_path.append("benchmarl_hyper", OURS)
            return
        main = [element.path for element in search_path.get_path() if element.provider == "main"]
        own = any(path == OURS or Path(path.removeprefix("file://")) == CONF for path in main)
        search_path.append("benchmarl_hyper", BENCHMARL if own else OURS)
        if not own:
            _warn_of_ignored_files()


def _warn_of_ignored_files() -> None:
    """Warn if ``--config-dir`` holds files of the names of ours, which are searched first."""
    from benchmarl_hyper.conf_files import CONF
    from benchmarl_hyper.running.checks.command_line import files_in_the_way

    folder = get_args_parser().parse_known_intermixed_args()[0].config_dir
    for problem in files_in_the_way(Path(folder), [CONF]) if folder else ():
        warnings.warn(problem, stacklevel=2)
