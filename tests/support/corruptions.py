"""Ways in which the files of a run can be broken, for readers that must bear all of them."""

import json
import os
import shutil
from functools import partial

import yaml

TYPES = {
    "null": None,
    "true": True,
    "text": "x",
    "empty text": "",
    "number": 3,
    "negative": -1,
    "fraction": 0.5,
    "huge": 10**400,
    "list": [],
    "nested list": [[1]],
    "mapping": {},
    "other mapping": {"x": {"y": [None]}},
}
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e308", '"1"', "null", "[1]", "1e999999999")
TEXTS = {
    "empty": b"",
    "blank": b"\n\n",
    "zeros": bytes(64),
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "binary": bytes(range(256)),
    "deep": b"[" * 100_000,
    "deep mapping": b'{"a":' * 50_000,
    "half": b'{"vmas": {"navi',
    "number": b"3",
    "list": b"[1, 2]",
    "text": b'"x"',
    "null": b"null",
    "surrogate": b'{"status": "done", "label": "\\ud800"}',
}
RECORD_KEYS = (
    "status",
    "label",
    "error",
    "frames",
    "absolute_frames",
    "wall_time_s",
    "parameters",
    "machine",
    "versions",
    "commit",
)
YAMLS = {
    "aliases": "a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "recursive": "a: &a [*a]\n",
    "merge": "a: &a {x: 1}\nexperiment:\n  <<: *a\n",
    "code": "experiment: !!python/object/apply:os.system ['true']\n",
    "deep": "a: " + "[" * 100_000,
    "deep blocks": "- " * 100_000,
    "list": "[1, 2]\n",
    "sections": "experiment: [1]\n",
    "model": "model: 3\n",
    "layers": "model: {layers: {l1: 3}}\n",
    "keys": "experiment: {1: 2, null: 3, true: {4: 5, x: 6}}\ntask: [[{1: 2, a: 3}]]\n",
    "huge": "experiment: {lr: 0x" + "f" * 10_000 + "}\n",
    "date": "experiment: {lr: 2001-99-99}\n",
    "types": "experiment: {a: 2001-01-01, b: !!binary aGk=, c: !!set {x: null}, d: .inf}\n",
}
# Of the content of results.json, from the root down to a value
LEVELS = ("environment", "task", "label", "seed", "step_1", "return")


def write(name, content, folder):
    next(folder.rglob(name)).write_bytes(content)


def cut(name, share, folder):
    path = next(folder.rglob(name))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def as_folder(name, folder):
    path = next(folder.rglob(name))
    path.unlink()
    path.mkdir()


def as_link(name, folder):
    path = next(folder.rglob(name))
    kept = folder.parent / "outside"
    shutil.move(path, kept)
    path.symlink_to(kept)


def as_pipe(name, folder):
    path = next(folder.rglob(name))
    path.unlink()
    os.mkfifo(path)


def record(key, value, folder):
    path = folder / "run.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**entries, key: value}), encoding="utf-8")


def without(key, folder):
    path = folder / "run.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    del entries[key]
    path.write_text(json.dumps(entries), encoding="utf-8")


def _results(folder):
    path = next(folder.glob("*/*.json"))
    return path, json.loads(path.read_text(encoding="utf-8"))


def level(depth, value, folder):
    """Another value at some depth of the results."""
    path, results = _results(folder)
    inner = results
    for _ in range(depth - 1):
        inner = list(inner.values())[-2 if "step_0" in inner else 0]
    if depth:
        names = [name for name in ("return", "step_1") if name in inner]
        inner[next(iter([*names, *inner]))] = value
    path.write_text(json.dumps(results if depth else value), encoding="utf-8")


def number(text, name, folder):
    """Another number for ``RETURN`` or ``FRAMES`` in the last evaluation."""
    path, results = _results(folder)
    (seeds,) = next(iter(next(iter(results.values())).values())).values()
    (steps,) = seeds.values()
    steps["step_1"]["return" if name == "RETURN" else "step_count"] = "HERE"
    there = f"[{text}, 1.0]" if name == "RETURN" else text
    path.write_text(json.dumps(results).replace('"HERE"', there), encoding="utf-8")


def key(depth, name, folder):
    """Another name at some depth of the results."""
    path, results = _results(folder)
    inner = results
    for _ in range(depth):
        inner = next(iter(inner.values()))
    inner[name] = inner.pop(next(iter(inner)))
    path.write_text(json.dumps(results), encoding="utf-8")


def line(text, folder):
    """Another line of diagnostics."""
    with open(next(folder.rglob("diagnostics.jsonl")), "a", encoding="utf-8") as file:
        file.write(text + "\n")


def settings(text, folder):
    (folder / "config.yaml").write_text(text, encoding="utf-8")


def many(folder):
    """A second results file."""
    path, _ = _results(folder)
    shutil.copytree(path.parent, folder / "other")
    (folder / "other" / path.name).rename(folder / "other" / "other.json")


def _line(**values):
    entry = {"frames": 100, "group": "agents", "name": "snd", "value": 1.0}
    return json.dumps({**entry, **values})


FILES = ("run.json", "config.yaml", "ippo_*.json", "diagnostics.jsonl")
NAMES = ("", "../../../x", "a\nb", "x" * 1000, "\u202e", "\0")
LINES = {
    **{f"{k} is {n}": _line(**{k: v}) for k in ("group", "name") for n, v in TYPES.items()},
    **{f"frames {n}": _line(frames=v) for n, v in TYPES.items()},
    **{f"value {n}": _line(value=v) for n, v in TYPES.items()},
    **{f"matrix {n}": _line(matrix=v) for n, v in TYPES.items()},
    "ragged": _line(matrix=[[1.0], [1.0, 2.0]]),
    "texts": _line(matrix=[["a"]]),
    "infinite": _line(value=float("inf"), frames=300),
    "infinite matrix": _line(matrix=[[float("inf"), 1e300]]),
    "large": _line(value=1e99, frames=300),
    "path": _line(name="../../../../x"),
}
CORRUPTIONS = {
    **{f"{f} is {n}": partial(write, f, c) for f in FILES for n, c in TEXTS.items()},
    **{f"{f} cut at {s}": partial(cut, f, s) for f in FILES for s in (0.01, 0.3, 0.7, 0.98)},
    **{f"{f} is a folder": partial(as_folder, f) for f in FILES},
    **{f"{f} is a link": partial(as_link, f) for f in FILES},
    **{f"{f} is a pipe": partial(as_pipe, f) for f in FILES},
    **{f"record {k} is {n}": partial(record, k, v) for k in RECORD_KEYS for n, v in TYPES.items()},
    **{f"record without {k}": partial(without, k) for k in RECORD_KEYS},
    "counts are texts": partial(record, "parameters", {"policy": {"agents": "many"}}),
    "counts are deep": partial(record, "parameters", {"policy": {"agents": {"x": 1}}}),
    "a machine is deep": partial(record, "machine", {"device": {"x": 1}}),
    "time is nan": partial(record, "wall_time_s", float("nan")),
    "time is tiny": partial(record, "wall_time_s", 1e-300),
    **{
        f"{LEVELS[d - 1] if d else 'root'} is {n}": partial(level, d, v)
        for d in range(7)
        for n, v in TYPES.items()
    },
    **{f"{w} {t}": partial(number, t, w) for w in ("RETURN", "FRAMES") for t in NUMBERS},
    **{f"key {d} is {n[:9]!r}": partial(key, d, n) for d in range(5) for n in NAMES},
    **{f"line {n}": partial(line, t) for n, t in LINES.items()},
    **{f"settings {n}": partial(settings, t) for n, t in YAMLS.items()},
    "settings of 2 MiB": partial(settings, "a: " + "x" * 2**21),
    "two results": many,
}
# What every YAML reader would take for settings, so that nothing is wrong with the run
assert all(yaml.safe_load(YAMLS[name]) for name in ("keys", "types"))
