"""The folder that a report is written to, which may lie in a folder that somebody else made."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

ADVICE = "give a folder that you may write to with --out"


class OutputFolder:
    """A folder for the files of a report.

    Files are written beside their place and moved there, so that a link there is replaced and its
    target stays as it is.

    Args:
        path: the path of the folder, which need not exist.

    Raises:
        ValueError: if nothing can be written there.
    """

    def __init__(self, path: Path):
        self.path = path
        self._make(path)
        if not os.access(path, os.W_OK | os.X_OK):
            raise ValueError(f"the report cannot be written to {path} (no permission); {ADVICE}")

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file, and return its path.

        Args:
            name: the path of the file inside the folder.
            content: its bytes, or its text.

        Raises:
            ValueError: if the file cannot be written, or if a folder on the way is a link.
        """
        target = self.path / name
        self._make(target.parent)
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
        try:
            with part.open("xb") as file:
                file.write(data)
            os.replace(part, target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise ValueError(f"{target} cannot be written ({error.strerror}); {ADVICE}") from error
        return target

    def _make(self, folder: Path) -> None:
        if folder.is_symlink():
            raise ValueError(
                f"{folder} is a link, so the report would be written elsewhere; {ADVICE}"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"the report cannot be written to {folder} ({error.strerror}); {ADVICE}"
            ) from error
