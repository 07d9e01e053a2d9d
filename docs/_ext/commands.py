"""``{commands}``: what every command of the console script prints for ``--help``."""

import io
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from unittest import mock

from sphinx.util.docutils import SphinxDirective

from benchmarl_hyper.cli.door import COMMANDS


def help_of(name: str) -> str:
    """Return what a command prints for ``--help``.

    For ``run``, whose ``--help`` lists all settings of a run, it is the module's docstring.
    """
    module = f"benchmarl_hyper.{COMMANDS[name][0]}"
    if name == "run":
        return (import_module(module).__doc__ or "").replace("::\n", ":\n").replace("``", "")
    if find_spec(module).submodule_search_locations:
        module += ".__main__"
    printed = io.StringIO()
    width = mock.patch.dict("os.environ", {"COLUMNS": "90"})
    try:
        with width, redirect_stdout(printed):
            import_module(module).main(["--help"])
    except SystemExit:
        pass
    return printed.getvalue()


class Commands(SphinxDirective):
    """A section for each command."""

    def run(self):
        """Return the sections."""
        parts = [
            f"## `{name}`\n\n{what[0].upper()}{what[1:]}.\n\n```text\n{help_of(name)}\n```"
            for name, (_, what) in COMMANDS.items()
        ]
        return self.parse_text_to_nodes("\n\n".join(parts), allow_section_headings=True)


def setup(app):
    """Add the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
