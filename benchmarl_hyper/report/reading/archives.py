"""Runs in one file: an archive is unpacked beside itself."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

MARK = ".unpacked"


def unpacked(paths: Sequence[Path]) -> list[Path]:
    """The folders among paths, and those that archives unpack to.

    ``results/games.tar.xz`` unpacks to ``results/games``, once. Nothing is overwritten.

    Raises:
        ValueError: for a file that is no archive, for an archive that is not one folder of its own
            name, and if that folder is there already, from elsewhere or from an older archive.
    """
    return [_folder(path) if path.is_file() else path for path in map(Path, paths)]


def _folder(archive: Path) -> Path:
    name = archive.name.partition(".")[0]
    folder, stamp = archive.parent / name, str(archive.stat().st_mtime_ns)
    if (folder / MARK).is_file() and (folder / MARK).read_text() == stamp:
        return folder
    try:
        with tarfile.open(archive) as file:
            roots = {Path(member).parts[:1] for member in file.getnames()}
            if roots != {(name,)}:
                raise ValueError(f"{archive} must hold one folder, {name}: see docs/report.md")
            if folder.exists():
                raise ValueError(
                    f"{archive} would overwrite {folder}, which is not from it as it is now; "
                    "give the folder instead, or move it away"
                )
            file.extractall(archive.parent, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{archive} is not a readable tar archive of runs ({error})") from error
    (folder / MARK).write_text(stamp)
    return folder
