"""Seeds that are trained at once have the run folders of single runs."""

import pytest
import torch
from support import killed_run
from support.seed_runs import SEEDS, build, jobs
from support.sweeps import measured

from benchmarl_hyper.report.reading import results
from benchmarl_hyper.running.records import read_record
from benchmarl_hyper.running.run_folder import RunFolder
from benchmarl_hyper.running.seeds_at_once.member import SeedExperiment
from benchmarl_hyper.running.seeds_at_once.runs import perform_together


def failing(path, checkpoint, callbacks, *, seed, **kwargs):
    """The last seed fails in its third iteration."""
    run = build(path, checkpoint, callbacks, seed=seed, **kwargs)
    if seed == SEEDS[-1]:
        receive = run.receive
        run.receive = lambda batch: 1 / 0 if run.n_iters_performed == 2 else receive(batch)
    return run


def records(folder):
    return {job.labels["seed"]: read_record(job.path) for job in jobs(folder)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert perform_together(jobs(folder), build)
    return folder


def test_runs_say_with_which_seeds_they_were_trained(whole):
    for seed, record in records(whole).items():
        expected = {"status": "done", "frames": 32, "seed": seed, "seeds_at_once": [*SEEDS]}
        assert record.items() >= expected.items()
        assert record["wall_time_s"] > 0


def test_the_report_reads_them(whole):
    found = results.read([whole])
    assert {(run.label, run.seed) for run in found.runs} == {("ippo_nops", str(s)) for s in SEEDS}
    assert not found.dropped


def test_they_measure_what_single_runs_measure(whole, tmp_path):
    (alone,) = jobs(tmp_path, [SEEDS[1]])
    assert perform_together([alone], build)
    (there,) = (job for job in jobs(whole) if job.labels["seed"] == SEEDS[1])
    assert "seeds_at_once" not in read_record(alone.path)
    assert files(there.path).keys() == files(alone.path).keys()
    for name, numbers in files(there.path).items():
        assert numbers == pytest.approx(files(alone.path)[name], rel=1e-3, abs=1e-4), name


def files(path):
    """All numbers of a run that do not depend on time, by file."""
    (name,) = (file.parent for file in path.glob("*/config.pkl"))
    texts = {file.name: file.read_text() for file in name.rglob("*.csv")}
    texts |= {"diagnostics": (name / "diagnostics.jsonl").read_text()}
    texts |= {"results": next(name.glob("*.json")).read_text()}
    found = {key: numbers_in(text) for key, text in texts.items() if "timers" not in key}
    checkpoint = next(name.glob("checkpoints/checkpoint_*.pt"))
    state = torch.load(checkpoint, weights_only=True)
    found["checkpoint"] = [
        t.double().sum().item() for g in ("loss_agents", "optimizers") for t in tensors(state[g])
    ]
    return found


def numbers_in(text):
    words = text.replace(",", " ").replace("[", " ").replace("]", " ").replace("}", " ").split()
    return [float(word) for word in words if word.lstrip("-")[:1].isdigit()]


def tensors(state):
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list):
        for value in state.values() if isinstance(state, dict) else state:
            yield from tensors(value)


def test_what_is_done_is_skipped(whole, tmp_path, capsys):
    perform_together(jobs(tmp_path, SEEDS[:1]), build)
    before = read_record(jobs(tmp_path)[0].path)
    capsys.readouterr()
    assert perform_together(jobs(tmp_path), build)
    out = capsys.readouterr().out
    assert "seed_0: already done; skipped" in out
    assert "seeds 4, 7 of ippo_nops: trained at once" in out
    assert read_record(jobs(tmp_path)[0].path) == before
    assert {r["status"] for r in records(tmp_path).values()} == {"done"}


def test_a_failure_is_recorded_for_all_and_the_same_command_continues(whole, tmp_path):
    with pytest.raises(ZeroDivisionError):
        perform_together(jobs(tmp_path), failing)
    for record in records(tmp_path).values():
        assert record["status"] == "failed"
        assert "ZeroDivisionError" in record["error"]
    assert perform_together(jobs(tmp_path), build)
    for job, other in zip(jobs(tmp_path), jobs(whole), strict=True):
        assert read_record(job.path)["attempts"] == 2
        assert measured(job.path) == measured(other.path)  # bit for bit


def test_a_seed_can_be_continued_alone(whole, tmp_path):
    with pytest.raises(ZeroDivisionError):
        perform_together(jobs(tmp_path), failing)
    job, other = jobs(tmp_path)[0], jobs(whole)[0]
    assert perform_together([job], build)
    assert files(job.path)["results"] == pytest.approx(files(other.path)["results"], rel=1e-3)


def test_seeds_at_different_frames_are_trained_in_groups(whole, tmp_path, capsys):
    with pytest.raises(ZeroDivisionError):
        perform_together(jobs(tmp_path), failing)
    newest = "*/checkpoints/checkpoint_16.pt"
    next(
        jobs(tmp_path)[1].path.glob(newest)
    ).unlink()  # as if the process had been killed before it could write it
    capsys.readouterr()
    assert perform_together(jobs(tmp_path), build)
    assert "seeds 0, 7 of ippo_nops: trained at once" in capsys.readouterr().out
    for job, other in zip(jobs(tmp_path), jobs(whole), strict=True):
        one, two = files(job.path)["results"], files(other.path)["results"]
        assert one == pytest.approx(two, rel=1e-3, abs=1e-5)


def test_a_seed_that_another_process_works_on_is_left_out(tmp_path, capsys):
    with RunFolder(jobs(tmp_path)[1].path).locked():
        assert not perform_together(jobs(tmp_path), build)
    assert "seed_4: another process is working on it; skipped" in capsys.readouterr().out
    assert [r.get("status") for r in records(tmp_path).values()] == ["done", None, "done"]


def diverging(path, checkpoint, callbacks, *, seed, **kwargs):
    """The second seed gets weights that are not finite in its third iteration."""
    run = build(path, checkpoint, callbacks, seed=seed, **kwargs)
    receive = getattr(run, "receive", None)

    def received(batch):
        receive(batch)
        if run.n_iters_performed == 2:
            next(run.policy.parameters()).data.fill_(float("nan"))

    if receive and seed == SEEDS[1]:
        run.receive = received
    return run


def test_a_seed_that_diverges_does_not_stop_the_others(whole, tmp_path, capsys):
    with pytest.raises(FloatingPointError, match=r"seed=\[4\]: .* not finite; the other seeds"):
        perform_together(jobs(tmp_path), diverging)
    assert "seeds 0, 7 of ippo_nops: trained at once" in capsys.readouterr().out
    assert [r["status"] for r in records(tmp_path).values()] == ["done", "failed", "done"]
    for index in (0, 2):
        one, two = files(jobs(tmp_path)[index].path), files(jobs(whole)[index].path)
        assert one["results"] == pytest.approx(two["results"], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_too_many_seeds_for_the_memory_are_told_how_to_go_on(error, tmp_path):
    def too_large(*args, **kwargs):
        raise error

    with pytest.raises(MemoryError, match=r"3 seeds at once .* -m 'seed=\[0\],\[4, 7\]'"):
        perform_together(jobs(tmp_path), too_large)


def interrupted(*args, **kwargs):
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise RuntimeError("as tensordict does")  # noqa: B904


def test_an_interrupt_stays_an_interrupt(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        perform_together(jobs(tmp_path), interrupted)
    assert {r["status"] for r in records(tmp_path).values() if r} == {"running"}


def test_what_was_built_is_closed_when_the_next_seed_cannot_be(tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(SeedExperiment, "close", lambda run: closed.append(run.seed))

    def second_fails(*args, seed, **kwargs):
        return build(*args, seed=seed, **kwargs) if seed == SEEDS[0] else 1 / 0

    with pytest.raises(ZeroDivisionError):
        perform_together(jobs(tmp_path), second_fails)
    assert closed == [SEEDS[0]]


def other_errors(*args, **kwargs):
    raise RuntimeError("of another kind")


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(RuntimeError, match="of another kind"):
        perform_together(jobs(tmp_path), other_errors)


@pytest.mark.slow
def test_killed_at_random_moments_they_measure_the_same(tmp_path):
    assert killed_run.kills("at_once", tmp_path, most=3)
    for job, other in zip(jobs(tmp_path / "killed"), jobs(tmp_path / "whole"), strict=True):
        one, two = files(job.path), files(other.path)
        assert one["results"] == pytest.approx(two["results"], rel=1e-2, abs=1e-3)
