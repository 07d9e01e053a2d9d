"""Write the tables and figures of docs/results/comparison.md from the recorded runs.

``python results/tables.py`` reads two kinds of comments in the page::

    <!-- returns of games.tar.xz -->
    the table tables/returns.md of a report on these runs, and its command
    <!-- end -->

    <!-- learning_curves of games.tar.xz as ../images/games.png -->

The text between the first two comments is replaced by the table. The last comment writes a figure
next to the page. ``paired_differences to LABEL of`` sets the report's ``--baseline``.
"""

import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

from benchmarl_hyper.report import write

RESULTS = Path(__file__).resolve().parent
PAGE = RESULTS.parent / "docs" / "results" / "comparison.md"
TABLE = re.compile(r"(<!-- (\w+)(?: to ([\w.]+))? of ([\w. ]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
FIGURE = re.compile(r"<!-- (\w+) of ([\w. ]+?) as (\S+) -->")


def filled(page: Path, out: Path, results: Path = RESULTS) -> str:
    """Return the text of a page with its tables renewed, and write the page's figures.

    Args:
        page: a Markdown file with comments as above.
        out: a folder for the reports.
        results: the folder of the archives.

    Raises:
        ValueError: if the same archives have two baselines.
    """
    content = page.read_text(encoding="utf-8")
    baselines: dict[str, str] = {}
    for _, _, to, archives, _ in TABLE.findall(content):
        if to and baselines.setdefault(archives, to) != to:
            raise ValueError(
                f"baselines of {archives} are {baselines[archives]} and {to}, but a report has "
                "one; name the same one everywhere"
            )

    @cache
    def report(archives: str) -> Path:
        folders = [results / name for name in archives.split()]
        folder = out / archives.replace(" ", "+")
        return write(folders, folder, baseline=baselines.get(archives)).parent

    def table(match: re.Match[str]) -> str:
        begin, name, baseline, archives, end = match.groups()
        text = (report(archives) / "tables" / f"{name}.md").read_text(encoding="utf-8")
        words = [f"results/{archive}" for archive in archives.split()]
        words += ["--baseline", baseline] if baseline else []
        command = f"`python -m benchmarl_hyper.report {' '.join(words)}`, `tables/{name}.md`"
        return f"{begin}\n{text}\n{command}\n\n{end}"

    for name, archives, path in FIGURE.findall(content):
        shutil.copy(report(archives) / "figures" / f"{name}.png", page.parent / path)
    return TABLE.sub(table, content)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(filled(PAGE, Path(folder)), encoding="utf-8")
