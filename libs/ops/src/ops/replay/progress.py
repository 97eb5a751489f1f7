"""A progress bar for replays that take longer than a glance, on a terminal only."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 2.0
"""Seconds after which the bar appears."""
_EVERY = 0.1


class Bar:
    """Tells on standard error how far a replay is; silent when that is no terminal."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PATIENCE if sys.stderr.isatty() else float("inf")
        self._shown: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        if self._shown is not None:
            self._shown.stop()

    def reading(self, done: int, total: int) -> None:
        """So many bytes of the file have been read."""
        self._tell("reading the file", done, total)

    def mapping(self, done: int, total: int) -> None:
        """So many rows have become events."""
        self._tell("replaying rows", done, total)

    def _tell(self, what: str, done: int, total: int) -> None:
        moment = time.monotonic()
        if moment < self._next:
            return
        self._next = moment + _EVERY
        if self._shown is None or self._task is None:
            from rich.console import Console
            from rich.progress import Progress

            self._shown = Progress(console=Console(stderr=True), transient=True)
            self._shown.start()
            self._task = self._shown.add_task(what, total=total)
        self._shown.update(self._task, description=what, completed=done, total=total)
