from benchmarl_hyper.cli import variants
from benchmarl_hyper.conf_files import CONF
from benchmarl_hyper.registry import CONFIGS


def test_all_variants_have_a_meaning(capsys):
    variants.main([])
    lines = capsys.readouterr().out.splitlines()[2:]
    names = [line.split()[0] for line in lines]
    assert names == sorted(file.stem for file in (CONF / "variant").glob("*.yaml"))
    assert {config.model_name() for config in CONFIGS} <= {*names}
    for _, what, extra, installed in variants.rows():
        assert len(what) > 20
        assert "@" not in what
        assert ":" not in what.partition("`")[2]
        assert extra in ("-", "seps")
        assert installed in ("yes", "no")
