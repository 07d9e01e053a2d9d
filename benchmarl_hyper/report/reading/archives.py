"""Archives of runs: a tar file is unpacked into a fresh folder for as long as it is read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import reprlib
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any

MOST_MEMBERS = 200_000
MOST_BYTES = 8 * 2**30
# Archives of runs shrink to a tenth. What is made to fill a disk shrinks to a thousandth.
MOST_RATIO, FREE_BYTES = 200, 64 * 2**20
MOST_AT_ONCE = 2**20  # no header is larger, and members are copied in smaller parts
# What reports read. Checkpoints, configurations as code and scalars stay in the archive.
READ = (".json", ".jsonl", ".yaml")
OPENERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
MOST_FOLDERS = 50  # inside each other
UNREADABLE = (tarfile.TarError, OSError, EOFError, ValueError, lzma.LZMAError, zlib.error)


class TooMuchError(Exception):
    """Raised if an archive holds what an archive of runs does not."""


@contextmanager
def unpacked(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Unpack the archives among paths into fresh folders, and remove these at the end.

    Nothing is written beside an archive, so it may lie where nobody can write.

    Yields:
        For each path, the folder that it was unpacked to; the path itself if it is not a file.

    Raises:
        ValueError: if a file is not a readable archive of files and folders alone, or if it is
            larger than an archive of runs can be.
    """
    with ExitStack() as stack:
        yield [_folder(path, stack) if path.is_file() else path for path in map(Path, paths)]


def _folder(archive: Path, stack: ExitStack) -> Path:
    target = Path(stack.enter_context(TemporaryDirectory(prefix="benchmarl_hyper_report_")))
    most = min(MOST_BYTES, max(FREE_BYTES, MOST_RATIO * archive.stat().st_size))
    try:
        with (
            _opened(archive) as file,
            tarfile.open(fileobj=_Bounded(file, most), mode="r:") as members,
        ):
            _extract(members, target)
    except TooMuchError as error:
        raise ValueError(f"{archive} {error}; a report does not unpack it") from error
    except UNREADABLE as error:
        raise ValueError(f"{archive} is not a readable tar archive of runs ({error})") from error
    return target


def _opened(archive: Path) -> IO[bytes]:
    with archive.open("rb") as file:
        start = file.read(6)
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), open)
    return opener(archive, "rb")


def _extract(members: tarfile.TarFile, target: Path) -> None:
    for number, member in enumerate(members):
        if number >= MOST_MEMBERS:
            raise TooMuchError(f"has more than {MOST_MEMBERS:,} members")
        if not (member.isdir() or member.isreg()) or member.issparse():
            raise TooMuchError(
                f"holds {reprlib.repr(member.name)}, which is neither a file nor a folder"
            )
        inside = PurePosixPath(member.name)
        if inside.is_absolute() or ".." in inside.parts or "\\" in member.name:
            raise TooMuchError(
                f"holds {reprlib.repr(member.name)}, which would lie outside its folder"
            )
        if len(inside.parts) > MOST_FOLDERS:
            raise TooMuchError(f"holds {reprlib.repr(member.name)}, which lies in too many folders")
        if member.isreg() and inside.suffix in READ:
            _copy(members, member, target / inside)


def _copy(members: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = members.extractfile(member)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise TooMuchError(f"holds {reprlib.repr(member.name)} twice")
    with path.open("xb") as file:
        while source is not None and (part := source.read(MOST_AT_ONCE)):
            file.write(part)


class _Bounded(io.RawIOBase):
    """A decompressed file that goes forwards only, and not beyond a number of bytes.

    ``tarfile`` reads a header as long as it says to be, and goes where a header says.
    """

    def __init__(self, file: IO[bytes], most: int):
        self.file, self.most, self.done = file, most, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.done

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE:
            raise TooMuchError(f"has a header of {size:,} bytes")
        part = self.file.read(size)
        self.done += len(part)
        if self.done > self.most:
            raise TooMuchError(f"has more than {self.most:,} bytes when it is unpacked")
        return part

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position < self.done:
            raise TooMuchError("has members that overlap")
        while self.done < position and self.read(min(MOST_AT_ONCE, position - self.done)):
            pass
        return self.done
