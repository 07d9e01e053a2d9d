"""The commands that README and docs show, in their order, as words."""

import re
import shlex
from pathlib import Path
from string import Template

ROOT = Path(__file__).parents[2]
# Results first among the pages: the page about reports packs their folder
PAGES = [ROOT / "README.md", ROOT / "docs" / "results.md"]
PAGES += sorted({*(ROOT / "docs").glob("*.md")} - {*PAGES})
BLOCK = re.compile(r"```bash\n(.+?)```", re.DOTALL)


def commands(page):
    """Words of each command of a page, with the shell variables that the page sets."""
    values = {"PWD": "."}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            command = line.rpartition(" && ")[2]
            setting = re.fullmatch(r"(\w+)=(.*)", command)
            if setting:
                filled = Template(" ".join(shlex.split(setting[2]))).safe_substitute(values)
                values[setting[1]] = filled
            elif words := _words(command, values):
                yield words


def _words(line, values):
    """A shell's reading of a line: variables, except between single quotes."""
    pieces = re.split(r"('[^']*')", line)
    filled = (p if p.startswith("'") else Template(p).safe_substitute(values) for p in pieces)
    return shlex.split("".join(filled), comments=True)
