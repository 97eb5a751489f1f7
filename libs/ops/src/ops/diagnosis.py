"""What the figures of a running platform mean: fine, worth a look, or broken, each with what to do. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from common.kafka.topic_admin import Difference

State = Literal["ok", "warn", "bad"]

BEHIND_WARN, BEHIND_BAD = 60, 900
"""Seconds behind on a partition; after 15 minutes it no longer holds timers back (decisions 4)."""
HANDED_OVER = 30
"""Seconds after which another replica has certainly taken the lease of one that died."""
LATE_WARN, LATE_BAD = 60, 300
"""Seconds that a decided event has waited to be sent, or a due timer to fire."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis."""

    state: State
    what: str
    found: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one service's database says about it, and its lag from Kafka, None while Kafka is away."""

    version: str | None
    newest: str | None
    """The newest version of its tables that is installed here; None when the service is not."""
    leaderless_seconds: float
    """For how long no replica has held the service's lease; below zero while one does, without end when none ever did."""
    refused: int
    """Decided events that Kafka will not take."""
    lag: int | None
    behind_seconds: float
    halted: int
    letters: int
    parked: int
    waiting: int
    unpublished: int
    unpublished_seconds: float
    timers_due: int
    timer_seconds: float
    wake_ups_due: int = 0
    """How many of the timers that are due wake an aggregate; the others are of clocks."""
    holes: Sequence[str] = ()
    """Where records are missing, in words."""
    unfinished: Mapping[str, int] = field(default_factory=dict)
    """What somebody has asked the service for and does not have yet, by kind: `{"cycles": 2}`."""
    ahead: Sequence[str] = ()
    """Partitions that would be read on from beyond what the database has handled."""
    unowned: Sequence[str] = ()
    """Partitions with lag that no replica reads."""


def of_topics(differences: Sequence[Difference], total: int) -> list[Finding]:
    """The topics: one finding when all are right, one for each that is not."""
    found = []
    for one in differences:
        text = "missing" if one.what == "topic" else f"{one.what} is {one.found or 'not set'}, not {one.wanted}"
        fixed = "keys would move: recreate it" if one.what == "partitions" else "aftersales topics apply"
        found.append(Finding("bad" if one.what in ("topic", "partitions") else "warn", f"topic {one.topic}", text, fixed))
    return found or [Finding("ok", "topics", f"all {total} as the topics table says")]


def of_service(name: str, figures: Figures) -> list[Finding]:
    """A service: its tables, whether it runs, whether it keeps up, what it holds back, what it has not sent or fired."""
    return list(_findings(name, figures))


def _findings(name: str, now: Figures) -> Iterator[Finding]:
    if now.newest is not None and now.version != now.newest:
        yield Finding("bad", f"{name} tables", f"version {now.version}, newest is {now.newest}", f"start {name}: it migrates itself")
    else:
        yield Finding("ok", f"{name} tables", f"version {now.version}")
    if now.leaderless_seconds < HANDED_OVER:
        yield Finding("ok", f"{name} runs", "a replica leads")
    else:
        yield Finding("bad", f"{name} runs", "no replica leads: none sends or fires timers", f"start {name}; see /health/ready and its log")
    lag = "unknown" if now.lag is None else f"{now.lag} records"
    behind = f"{lag} behind, for {now.behind_seconds:.0f} s" if now.behind_seconds or now.lag else "caught up"
    yield Finding(_late(now.behind_seconds, BEHIND_WARN, BEHIND_BAD), f"{name} lag", behind, _if(now.behind_seconds, "see its log"))
    yield from _missing(name, now)
    if now.halted:
        yield Finding(
            "bad", f"{name} halts", f"{now.halted} partitions stopped", f"mend the defect, then aftersales resume --service {name}"
        )
    yield _held(name, now)
    outbox = f"{now.unpublished} events unsent, the oldest for {now.unpublished_seconds:.0f} s" if now.unpublished else "empty"
    yield Finding(
        _late(now.unpublished_seconds, LATE_WARN, LATE_BAD),
        f"{name} outbox",
        outbox,
        _if(now.unpublished_seconds > LATE_WARN, "is Kafka up, does the service run? Its log says relay_…"),
    )
    if now.refused:
        yield Finding(
            "bad", f"{name} refused", f"{now.refused} events that Kafka will not take", f"aftersales outbox list --refused --service {name}"
        )
    kinds = f"{now.timers_due - now.wake_ups_due} of clocks, {now.wake_ups_due} wake-ups"
    timers = f"{now.timers_due} due ({kinds}), the oldest for {now.timer_seconds:.0f} s" if now.timers_due else "none is due"
    yield Finding(
        _late(now.timer_seconds, LATE_WARN, LATE_BAD),
        f"{name} timers",
        timers,
        _if(now.timer_seconds > LATE_WARN, "they wait for lag, and for parked aggregates: mend those"),
    )


def _missing(name: str, now: Figures) -> Iterator[Finding]:
    """What is not read, and what waits for it."""
    if now.holes:
        do = f"runbook, 'Kafka or PostgreSQL was lost'; then aftersales holes accept --service {name}"
        yield Finding("bad", f"{name} holes", f"records are missing: {_some(now.holes)}", do)
        for kind, number in now.unfinished.items():
            if number:
                found = f"{number} {kind} wait until the holes have ended"
                yield Finding("bad", f"{name} {kind}", found, f"end the holes: aftersales holes list --service {name}")
    if now.ahead:
        found = f"offsets lie ahead of the database: {_some(now.ahead)}"
        yield Finding("bad", f"{name} offsets", found, f"stop {name}, then aftersales restore-offsets --service {name}")
    if now.unowned and now.leaderless_seconds < HANDED_OVER:
        yield Finding("bad", f"{name} partitions", f"nobody reads {_some(now.unowned)}", f"start {name}; see /health/ready and its log")


def _some(found: Sequence[str]) -> str:
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _held(name: str, now: Figures) -> Finding:
    held = {"dead letters": now.letters, "parked aggregates": now.parked, "waiting events": now.waiting}
    text = ", ".join(f"{number} {kind}" for kind, number in held.items() if number) or "nothing"
    state: State = "bad" if now.parked else "warn" if now.letters else "ok"
    return Finding(state, f"{name} holds back", text, _if(state != "ok", f"aftersales dead-letters list --service {name}"))


def _late(seconds: float, warn: float, bad: float) -> State:
    return "bad" if seconds > bad else "warn" if seconds > warn else "ok"


def _if(condition: object, text: str) -> str:
    return text if condition else ""
