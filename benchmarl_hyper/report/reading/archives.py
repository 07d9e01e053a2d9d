"""Archives of runs: a tar file is unpacked into a folder next to it."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

MARK = ".unpacked"


def unpacked(paths: Sequence[Path]) -> list[Path]:
    """Unpack the archives among paths, and return a folder for each path.

    ``results/games.tar.xz`` is unpacked to ``results/games``, once. Nothing is overwritten.

    Returns:
        The folder that an archive was unpacked to; a path that is not a file, as it is.

    Raises:
        ValueError: if a file is not an archive, if an archive does not hold exactly one folder with
            its own name, or if that folder already exists and is not from this archive as it is
            now.
    """
    return [_folder(path) if path.is_file() else path for path in map(Path, paths)]


def _folder(archive: Path) -> Path:
    name = archive.name.partition(".")[0]
    folder, stamp = archive.parent / name, str(archive.stat().st_mtime_ns)
    if (folder / MARK).is_file() and (folder / MARK).read_text(encoding="utf-8") == stamp:
        return folder
    try:
        with tarfile.open(archive) as file:
            roots = {Path(member).parts[:1] for member in file.getnames()}
            if roots != {(name,)}:
                raise ValueError(
                    f"{archive} must hold exactly one folder, {name}; docs/report.md shows how to "
                    "make such an archive"
                )
            if folder.exists():
                raise ValueError(
                    f"{archive} would overwrite {folder}, which was not unpacked from the archive "
                    "as it is now; pass the folder instead, or move it away"
                )
            file.extractall(archive.parent, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{archive} is not a readable tar archive of runs ({error})") from error
    (folder / MARK).write_text(stamp, encoding="utf-8")
    return folder
