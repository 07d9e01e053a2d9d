from benchmarl_hyper.run_files import flat, write_whole


def test_nested_settings_have_dotted_names():
    assert flat({"a": {"b": [1], "c": {}}, "d": None}) == {"a.b": [1], "a.c": {}, "d": None}


def test_a_file_is_replaced_as_a_whole(tmp_path):
    file = tmp_path / "run.json"
    file.write_text("old", encoding="utf-8")
    with file.open(encoding="utf-8") as reader:  # who reads meanwhile sees all of the old text
        write_whole(file, "new")
        assert reader.read() == "old"
    assert file.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [file]
