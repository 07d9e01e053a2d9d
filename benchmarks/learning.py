"""Does each variant learn what it should? ``python benchmarks/learning.py [DIR]``.

It trains five variants with three seeds on three tasks. This takes 25 minutes on 2 busy cores. The
settings are those of the files in ``benchmarks/learning/suite``, the same for all variants.
"""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.terminal import table

HERE = Path(__file__).parent / "learning"

# What to report for each task, and the factor that turns BenchMARL's return into it. That return is
# an episode's sum of rewards, averaged over agents.
MEASURES = {
    "specialisation": ("mean step reward", 1 / 20),
    "bps": ("team total", 15),
    "navigation": ("return", 1),
}


def run(suite: str, folder: Path) -> None:
    """Run a suite, unless its folder exists already."""
    if not folder.exists():
        command = [sys.executable, "-m", "benchmarl_hyper.run", "-m", "--config-dir", HERE]
        subprocess.run([*command, f"+suite={suite}", f"hydra.sweep.dir={folder}"], check=True)


def main(folder: Path) -> None:
    """Run the suites, and print a table with a line per variant and a column per task."""
    columns: dict[str, dict[str, str]] = defaultdict(dict)
    for suite, (_, factor) in MEASURES.items():
        run(suite, folder / suite)
        scores = defaultdict(list)
        for result in read([folder / suite]).runs:
            scores[result.label].append(result.final_return * factor)
        for label, values in scores.items():
            mean = sum(values) / len(values)
            cell = f"{mean:.3g} ({min(values):.3g} .. {max(values):.3g}), n={len(values)}"
            columns[label][suite] = cell
    header = ["", *(f"{suite}: {measure}" for suite, (measure, _) in MEASURES.items())]
    rows = [
        [label, *(cells.get(suite, "-") for suite in MEASURES)] for label, cells in columns.items()
    ]
    print("\nFinal evaluation, sampled actions: mean over seeds (smallest .. largest)\n")
    print(table([header, *rows]))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/learning").resolve())
