import json

from support.recorded_runs import diagnostic as line
from support.recorded_runs import own_run

from benchmarl_hyper.report.reading import results
from benchmarl_hyper.report.reading.diagnostics import read


def test_broken_lines_are_dropped_and_counted(tmp_path):
    folder = own_run(tmp_path, diagnostics=[line(100, "snd", value=1.0), {"no": "record"}])
    (path,) = folder.glob("*/diagnostics.jsonl")
    path.write_text(
        path.read_text(encoding="utf-8") + json.dumps(line(200, "snd", value=1.0))[:20],
        encoding="utf-8",
    )
    recording, reason = read(path)
    assert recording.scalars == {("agents", "snd"): {100: 1.0}}
    assert reason.startswith("2 lines are not records")
    (dropped,) = results.read([folder]).dropped
    assert str(dropped.place) == str(path)
    assert (dropped.reason, dropped.whole) == (reason, False)
