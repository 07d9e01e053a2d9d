"""What a run has left on disk."""


def checkpoint_in(folder):
    """The only checkpoint of a run."""
    (path,) = (folder / "checkpoints").iterdir()
    return path


def contents(folder):
    """Bytes and times of all files, to see that nothing changes them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
