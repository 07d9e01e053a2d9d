"""Every command of README and docs, in their order and in one folder, for a few frames."""

import json
import re
import shutil
import subprocess
from collections import defaultdict

import pytest
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from support.documented import (
    ELSEWHERE,
    ROOT,
    RUNNERS,
    all_commands,
    first_runs,
    folder_of,
    lacking,
    shortened,
)
from support.forks import having_imported

from benchmarl_hyper.running.planning import planned_jobs
from benchmarl_hyper.running.run_folder import computed, differences

pytestmark = pytest.mark.slow
OURS = "benchmarl_hyper.run"
WARNING = re.compile(r"^(?!<frozen runpy>).*Warning", re.MULTILINE)  # not that of the fork
NOTHING_LEFT = re.compile(r"already done; skipped|  (\d+) of \1 done, in ")


def filled(words, folder):
    """Words with a checkpoint of a run for what stands for one."""
    checkpoints = sorted(folder.glob("runs/**/games_specialisation_4/**/checkpoint_8.pt"))
    for word in words:
        run = re.match(r"RUN(_A|_B)?/", word)
        yield str(checkpoints[run[1] == "_B"]) if run else word


def executed(words, folder, python):
    """Exit code and output of a command, in a process of its own."""
    if words[0] == "python":
        return python(*words[1:], cwd=folder)
    result = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    return result.returncode, result.stderr


def problem(words, folder, python):
    """What is wrong after a command; None if it has done its work."""
    runs = {*folder.rglob("config.pkl")}
    code, output = executed(words, folder, python)
    new = {*folder.rglob("config.pkl")} - runs
    if code:
        return f"exit code {code}: {output[-1000:]}"
    if words[2] in RUNNERS and not new and not NOTHING_LEFT.search(output):
        return f"it has left no run: {output[-1000:]}"
    if words[2] == OURS and (output.count("\n") > 40 or WARNING.search(output)):
        return f"it is not quiet: {output[-3000:]}"
    return None


def test_commands_work_in_their_order(tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    wrong, left_out, n_run = [], set(), 0
    with having_imported("benchmarl_hyper.run", "benchmarl_hyper.report.callback") as python:
        for page, words in all_commands():
            line = " ".join(words)
            if ELSEWHERE.search(line):
                continue
            if extra := lacking(words):
                left_out.add(extra)
                continue
            short = shortened(words) if words[2] in RUNNERS else [*filled(words, tmp_path)]
            n_run += 1
            if found := problem(short, tmp_path, python):
                wrong.append(f"{page.name}: {line}\n  as {' '.join(short)}\n  {found}")
    assert not wrong, "\n\n".join(wrong)
    records = [json.loads(p.read_text(encoding="utf-8")) for p in tmp_path.rglob("run.json")]
    assert {record["status"] for record in records} == {"done"}
    if left_out:
        pytest.skip(f"{n_run} commands work; others need the extras {', '.join(left_out)}")
    assert n_run > 50


def jobs_of(arguments):
    """The jobs of a command of ours, as they are documented."""
    words = [word for word in arguments if not re.match(r"-m$|hydra[./]launcher", word)]
    if words[0] == "--config-dir":
        words[:2] = [f"hydra.searchpath=[file://{ROOT / words[1]}]"]
    words = [re.sub(r"snd_observations=.*", "snd_observations=null", word) for word in words]
    with initialize_config_module("benchmarl_hyper.conf", version_base=None):
        loader = GlobalHydra.instance().hydra
        return planned_jobs(loader.compose_config("run", words, RunMode.MULTIRUN))


def lines_by_folder():
    """Different commands of ours and their pages, by the folder in runs/ that they share."""
    folders = defaultdict(dict)
    for page, words in all_commands():
        # What plugins register would be known to all other tests
        ours = words[:3] == ["python", "-m", "benchmarl_hyper.run"] and "plugins=" not in str(words)
        if ours and not lacking(words):
            folders[folder_of(words)].setdefault(tuple(words), page.name)
    return {name: lines for name, lines in folders.items() if len(lines) > 1}


def test_no_run_as_documented_refuses_another():
    """The runs above have equal frames, which may hide that two commands differ."""
    seen, refused = {}, []
    for lines in lines_by_folder().values():
        for words, page in lines.items():
            line = " ".join(words)
            for job in jobs_of(first_runs(words)[3:]):
                before, settings = seen.setdefault(job.path, (line, computed(job.settings)))
                differ = differences(settings, computed(job.settings))
                if differ:
                    refused.append(f"{page}: {line}\nis refused after\n{before}\nby {differ}")
    assert not refused, "\n\n".join(refused)
    assert len(seen) > 30
