"""Structured logs on standard error, one JSON object a line. What is logged are names, counts and ids, never a value of an event."""

import logging
import sys
import time
import traceback
from collections.abc import Callable, Hashable

import structlog

_MINUTE = 60
_COUNTS = frozenset(("timestamp", "records", "failures"))
"""What differs each time that a loop says the same."""


def configure(service: str, level: str) -> None:
    """Sets logging up for the process; libraries that use the standard module end in the same stream."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _bare_traceback,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in ("aiokafka", "faststream", "uvicorn.access", "sqlalchemy", "alembic", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def _bare_traceback(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The kind of an error and where it was raised; its message may quote a value, so it is left out."""
    info = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
        event["error"] = type(error).__name__
        event["raised_at"] = [f"{frame.filename.rpartition('/src/')[2]}:{frame.lineno} {frame.name}" for frame in ours[-4:]]
        if (state := getattr(getattr(error, "orig", None), "sqlstate", None)) is not None:
            event["sqlstate"] = state
    return event


class Repeats(logging.Filter):
    """Lets a warning or an error through once, and its repetitions once a minute, with how many were left out in between.

    While a server is away, loops here and in the libraries say the same many times a second.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[Hashable, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is said; it then tells how often it was not."""
        if record.levelno < logging.WARNING:
            return True
        at, what = self._clock(), _what_it_says(record)
        said_at, left_out = self._said.get(what, (-float("inf"), 0))
        if at - said_at < _MINUTE:
            self._said[what] = said_at, left_out + 1
            return False
        if len(self._said) > 1000:  # texts that differ each time; what is older than a minute would be said anyway
            self._said = {what: said for what, said in self._said.items() if at - said[0] < _MINUTE}
        self._said[what] = at, 0
        if left_out and isinstance(record.msg, dict):
            record.msg = {**record.msg, "left_out": left_out}
        elif left_out:
            record.msg, record.args = f"{record.getMessage()} (left out {left_out} times)", ()
        return True


def _what_it_says(record: logging.LogRecord) -> Hashable:
    """Our own records with all that they name but counts, the libraries' by their text before values are filled in."""
    if isinstance(record.msg, dict):
        return tuple((name, repr(value)) for name, value in sorted(record.msg.items()) if name not in _COUNTS)
    return record.name, record.levelno, str(record.msg)
