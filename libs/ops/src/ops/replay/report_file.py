"""Where a report goes: checked before the run, written whole or not at all."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from common.kernel.faults import Fault
from ops.replay.declarations import RULE


class ReportFile:
    """A file for the report; raises a `Fault` where none can be written, and for one of the files that are read."""

    def __init__(self, path: Path, read: Sequence[Path]) -> None:
        self._path = path.resolve()
        self._beside = self._path.with_name(f".{self._path.name}.part")
        if any(other.exists() and path.exists() and path.samefile(other) for other in read):
            raise Fault(("--report",), RULE, f"{path} is a file that the replay reads")
        if path.is_dir():
            raise Fault(("--report",), RULE, f"{path} is a folder")
        try:
            if path.exists() and not path.is_file():
                self._beside = self._path  # a device or a pipe: nothing to put in its place
                return
            self._beside.open("wb").close()
            self._beside.unlink()
        except OSError as problem:
            raise Fault(("--report",), RULE, f"nothing can be written to {path}: {problem.strerror}") from None

    def write(self, text: str) -> None:
        """The text stands there afterwards, or what stood there before; raises `OSError`."""
        try:
            self._beside.write_text(text, encoding="utf-8")
            if self._beside != self._path:
                os.replace(self._beside, self._path)
        except OSError:
            if self._beside != self._path:
                with suppress(OSError):
                    self._beside.unlink()
            raise
