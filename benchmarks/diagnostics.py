"""Diversity and gradients of four variants: ``python benchmarks/diagnostics.py [DIR]``.

It trains IPPO on Specialisation with 4 agents, 3 seeds and all callbacks. This takes about 3
minutes on 2 cores. The settings are those of ``benchmarks/learning/suite/specialisation.yaml``.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, median

from learning import run

from benchmarl_hyper.report.reading.results import read
from benchmarl_hyper.terminal import table

# The logged value, and how the measurements of a run become one number.
MEASURES = {
    "eval_agents_snd_js": lambda values: values[-1],
    "eval_agents_snd_tvd": lambda values: values[-1],
    "train_agents_gradient_conflict": mean,
    "train_agents_gradient_conflict_share": mean,
    "train_agents_gradient_variance_coordinates": mean,
    "train_agents_gradient_variance_minibatches": median,
}


def logged(folder: Path, name: str) -> list[float]:
    """Return all values that a run has logged under a name."""
    (file,) = folder.rglob(f"{name}.csv")
    with open(file, encoding="utf-8") as rows:
        return [float(value) for _, value in csv.reader(rows)]


def main(folder: Path) -> None:
    """Run the suite, and print a line per variant: mean over seeds (smallest .. largest)."""
    run("diagnostics", folder)
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for job in sorted(path.parent for path in folder.rglob("diagnostics.jsonl")):
        (result,) = read([job]).runs
        for name, reduce in MEASURES.items():
            scores[result.label][name].append(reduce(logged(job, name)))
    rows = [
        [
            label,
            *(f"{mean(v):.3g} ({min(v):.2g} .. {max(v):.2g})" for v in values.values()),
            str(len(next(iter(values.values())))),
        ]
        for label, values in scores.items()
    ]
    names = [name.split("_agents_")[1] for name in MEASURES]
    print("\nSND at the end; conflict and coordinates: mean, minibatches: median over the run\n")
    print(table([["", *names, "seeds"], *rows]))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/diagnostics").resolve())
