"""What a loop says again and again is said once, and then once a minute."""

import logging
from collections.abc import Mapping

from common.runtime.logging import Repeats


class Log:
    """What goes through, at a time that the test sets."""

    def __init__(self) -> None:
        self.at = 0.0
        self.filter = Repeats(lambda: self.at)

    def said(self, message: str | Mapping[str, object], *args: object, level: int = logging.WARNING) -> str:
        record = logging.LogRecord("aiokafka", level, "", 0, message, args, None)
        return str(record.msg if isinstance(record.msg, dict) else record.getMessage()) if self.filter.filter(record) else ""


def test_a_repeated_warning_is_said_once_and_after_a_minute_with_how_often_it_was_left_out() -> None:
    log = Log()
    assert log.said("no node %s", 1) == "no node 1"
    assert not any(log.said("no node %s", number) for number in range(500))
    log.at = 61
    assert log.said("no node %s", 7) == "no node 7 (left out 500 times)"
    assert not log.said("no node %s", 7)


def test_of_our_own_words_counts_do_not_make_another_one_but_names_do() -> None:
    log = Log()
    assert log.said({"event": "batch_failed", "error": "TimeoutError", "failures": 1, "timestamp": "1"})
    assert not log.said({"event": "batch_failed", "error": "TimeoutError", "failures": 2, "timestamp": "2"})
    assert log.said({"event": "batch_failed", "error": "OSError", "failures": 3, "timestamp": "3"})
    assert all(log.said({"event": "aggregate_parked", "aggregate": f"complaints:C{number}"}) for number in range(2000))
    log.at = 61
    again = log.said({"event": "batch_failed", "error": "TimeoutError", "failures": 9})
    assert "'left_out': 1" in again


def test_what_is_no_warning_is_always_said() -> None:
    log = Log()
    assert all(log.said("started", level=logging.INFO) for _ in range(3))
