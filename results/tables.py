"""Write the tables and figures of docs/results.md from the recorded runs.

``python results/tables.py`` fills what stands between comments of two kinds in the page::

    <!-- returns of games.tar.xz -->
    the table tables/returns.md of a report of these runs, and its command
    <!-- end -->

    <!-- learning_curves of games.tar.xz as images/games.png -->

of which the second writes a figure beside the page.
"""

import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

from benchmarl_hyper.report import write

RESULTS = Path(__file__).resolve().parent
PAGE = RESULTS.parent / "docs" / "results.md"
TABLE = re.compile(r"(<!-- (\w+) of ([\w. ]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
FIGURE = re.compile(r"<!-- (\w+) of ([\w. ]+?) as (\S+) -->")


def filled(page: Path, out: Path, results: Path = RESULTS) -> str:
    """The page with its tables anew; its figures are written.

    Args:
        page: a Markdown file with comments as above.
        out: a folder for reports.
        results: the folder of the archives.
    """

    @cache
    def report(archives: str) -> Path:
        folder = out / archives.replace(" ", "+")
        return write([results / name for name in archives.split()], folder).parent

    def table(match: re.Match[str]) -> str:
        begin, name, archives, end = match.groups()
        text = (report(archives) / "tables" / f"{name}.md").read_text()
        paths = " ".join(f"results/{archive}" for archive in archives.split())
        command = f"`python -m benchmarl_hyper.report {paths}`, `tables/{name}.md`"
        return f"{begin}\n{text}\n{command}\n\n{end}"

    for name, archives, path in FIGURE.findall(page.read_text()):
        shutil.copy(report(archives) / "figures" / f"{name}.png", page.parent / path)
    return TABLE.sub(table, page.read_text())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(filled(PAGE, Path(folder)))
