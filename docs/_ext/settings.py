"""``{settings} model fups``: a table of the keys of a YAML file, from the code that reads it."""

import re
from pathlib import Path

from docstrings import arguments
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import getLogger

from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.registry import ALGORITHMS, CONFIGS, METHODS

FOLDERS = {"model": "model/layers", "algorithm": "algorithm", "method": "method"}


def documented(kind: str, name: str) -> type:
    """Return the class whose arguments are the keys of ``conf/<kind>/<name>.yaml``."""
    if kind == "method":
        return METHODS[name]
    models = {config.model_name(): config for config in CONFIGS}
    return {"model": models, "algorithm": ALGORITHMS}[kind][name].associated_class()


def shipped(file: Path) -> dict[str, str]:
    """Return the values of a YAML file by their keys, as they are written."""
    lines = re.findall(r"^(\w+): *(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {key: value for key, value in lines if key not in ("defaults", "name")}


class Settings(SphinxDirective):
    """The keys, shipped values and meanings of a model, an algorithm or a method.

    A key without a meaning is a warning, which ``-W`` makes an error.
    """

    required_arguments = 2

    def run(self):
        """Return the table."""
        kind, name = self.arguments
        file = CONF / FOLDERS[kind] / f"{name}.yaml"
        self.env.note_dependency(str(file))
        described = documented(kind, name)
        meanings = arguments(described)
        prefix = "" if kind == "model" else f"{kind}."
        lines = [
            "```{eval-rst}",
            ".. currentmodule:: benchmarl_hyper",
            ".. list-table::",
            "   :class: settings",
            "   :header-rows: 1",
            "",
            "   * - key",
            "     - shipped value",
            "     - meaning",
        ]
        for key, value in shipped(file).items():
            if key not in meanings:
                getLogger(__name__).warning(
                    "%s.yaml has the key %s, which %s does not explain under Args",
                    name,
                    key,
                    described.__name__,
                    location=self.get_location(),
                )
            lines += [f"   * - ``{prefix}{key}``", f"     - ``{value}``"]
            lines += [f"     - {meanings.get(key, '')}"]
        return self.parse_text_to_nodes("\n".join([*lines, "```"]))


def setup(app):
    """Add the directive."""
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True}
