"""``{public-names} models``: what the package offers from one of its rooms, from docstrings."""

from importlib import import_module

from sphinx.util.docutils import SphinxDirective

# Every configuration has associated_class(), which BenchMARL calls
OPTIONS = ["   :members:", "   :exclude-members: associated_class", "   :show-inheritance:"]
PACKAGES = ("benchmarl_hyper", "benchmarl_hyper.export", "benchmarl_hyper.replay")


def public_names(room: str) -> dict[str, object]:
    """Return the public names whose code is in a room, by their full names."""
    found = {}
    for package in map(import_module, PACKAGES):
        for name in package.__all__:
            value = getattr(package, name)
            home = package.__name__.split(".")[1:] or value.__module__.split(".")[1:]
            if home[0] == room:
                found[f"{package.__name__}.{name}"] = value
    return found


class PublicNames(SphinxDirective):
    """Classes and functions with signatures and docstrings."""

    required_arguments = 1

    def run(self):
        """Return an entry for each name.

        Raises:
            ValueError: if no public name is in the room.
        """
        names = public_names(self.arguments[0])
        if not names:
            raise self.error(f"no public name is in the room '{self.arguments[0]}'")
        links = ", ".join(f":py:obj:`~{name}`" for name in names)
        lines = ["```{eval-rst}", links, ""]
        for name, value in names.items():
            kind = "class" if isinstance(value, type) else "function"
            lines += [f".. auto{kind}:: {name}"]
            lines += OPTIONS if kind == "class" else []
            lines += [""]
        return self.parse_text_to_nodes("\n".join([*lines, "```"]))


def setup(app):
    """Add the directive."""
    app.add_directive("public-names", PublicNames)
    return {"parallel_read_safe": True}
