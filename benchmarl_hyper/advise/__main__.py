"""The command line: ``python -m benchmarl_hyper.advise``, or ``benchmarl-hyper advise``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from benchmarl_hyper.advise.request import Request

HELP = """usage: python -m benchmarl_hyper.advise task=TASK algorithm=ALGORITHM minutes=20 [...]

How much should the agents of a task share? Trains candidates in rounds of seeds, stops those that
are decided, and says which are worse than the best, which are as good, and which are undecided.

  minutes=20       the budget of all runs together; or frames=2_000_000
  candidates=[fups,fups_id,hypermarl,nops]
                   the variants to compare; benchmarl-hyper variants lists them
  margin=0.05      the difference that does not matter, as a share of the range between random play
                   and the best candidate
  jobs=2           the number of processes at a time
  --config-dir DIR, and all other KEY=VALUE
                   as for benchmarl_hyper.run, for example experiment.lr=0.001 name=mine

Without experiment.max_n_frames, runs are as long as the budget allows for 6 seeds of each
candidate. The same command goes on where it was stopped; with a larger budget, it continues."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer the question for a task.

    Args:
        arguments: the words of the command line; None for those of this process.

    Raises:
        SystemExit: if the request cannot work, or if it is interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or {"-h", "--help"} & {*words}:
        print(HELP)
        raise SystemExit(0)
    from benchmarl_hyper.advise.request import parsed

    try:
        signal.signal(signal.SIGTERM, _interrupted)
        _advise(parsed(words))
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    except KeyboardInterrupt:
        print("\nInterrupted. What is finished is kept. Run the same command again to go on.")
        raise SystemExit(130) from None


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _advise(request: Request) -> None:
    # After the words were understood, since torch takes seconds
    from benchmarl_hyper.advise.answer import HEADER, remarks, rows, sentence
    from benchmarl_hyper.advise.progress import Progress
    from benchmarl_hyper.advise.rounds import Study
    from benchmarl_hyper.advise.section import answer_section
    from benchmarl_hyper.report.page import write_results
    from benchmarl_hyper.report.reading.results import read
    from benchmarl_hyper.terminal import table

    progress = Progress()
    study = Study(request, progress.say)
    found, outcomes = study.run()
    facts = found, outcomes, study.memory.random_play or 0.0, study.frames
    progress.end()
    print(f"\n{sentence(found, outcomes)}\n\n{table([HEADER, *rows(found, outcomes)])}\n")
    print("\n".join(remarks(*facts)))
    page = write_results(read([study.folder]), [study.folder], first=[answer_section(*facts)])
    print(f"\nRuns: {study.folder}\nReport: {page}")


if __name__ == "__main__":
    main()
