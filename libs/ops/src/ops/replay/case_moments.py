"""What happened to a case in each of its rows: from what rows tell to steps that a service can take."""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.replay.mapping import LogMapping
from ops.replay.rows import Row, Step, Unusable

WORK = ("working", "waiting", "queued")
"""What a row after a completion must tell so that the case came back."""
COMPLETION = ("completed", "closed")


@dataclass(slots=True)
class Standing:
    """Where a case stands: the work is done or not, who has it, what it waits for."""

    done: bool = False
    holder: tuple[str, str] | None = None
    pause: int | None = None
    answered: bool = False
    closed: bool = False

    def copy(self) -> "Standing":
        """One to go on from, in case the next row makes no claims."""
        return Standing(self.done, self.holder, self.pause, self.answered, self.closed)


def case_row(values: tuple[str, ...], number: int, rule: int, mapping: LogMapping) -> Row:
    """The row of a log of cases; raises `Unusable` for one without a case or a time."""
    case, when = mapping.role("case", values), mapping.times["at"]
    if not case:
        raise Unusable("no_case")
    at, other, dated = when.instant(when.part.of(values))
    return Row(case, at, number, rule, values, None, other, dated)


def case_moments(before: Standing | None, row: Row, mapping: LogMapping) -> tuple[list[Step], Standing]:
    """The steps of a case's next row in the order of time, each legal after those before it, and how the case stands then.

    Work that goes to somebody else while it waits is taken up, given, accepted and held up again, all in one row. Whoever
    completes work is credited with it, and needs to have it first only when nobody has. A completion of what is done
    already is none, and so is a second closing; who closes what nobody answered has spoken to the customer (D11-04).
    """
    now = Standing() if before is None else before.copy()
    steps = [Step("received", row.at)] if before is None else []
    steps += [Step(moment, row.at) for moment in _moments(now, row, mapping)]
    return steps, now


def _moments(now: Standing, row: Row, mapping: LogMapping) -> Iterator[str]:
    means = mapping.rules[row.rule].means
    if now.done and means in WORK:
        now.done = False
        yield "reopened"
    if not now.done and means in COMPLETION:
        yield from _completion(now, row, mapping)
    elif means in WORK:
        yield from _work(now, row, means, mapping)
    if not now.answered and means in ("working", "waiting", "closed"):
        now.answered = True
        yield "answered"
    if means == "waiting" and now.pause is None:
        now.pause = row.rule
        yield "paused"
    if means == "closed" and not now.closed:
        now.closed = True
        yield "closed"


def _work(now: Standing, row: Row, means: str, mapping: LogMapping) -> Iterator[str]:
    holder = _holder(now, row, mapping)
    changed = means != "queued" and holder != now.holder
    if now.pause is not None and (changed or means != "waiting" or row.rule != now.pause):
        now.pause = None
        yield "resumed"
    if changed:
        now.holder = holder
        yield "assigned"
        yield "accepted"


def _completion(now: Standing, row: Row, mapping: LogMapping) -> Iterator[str]:
    if now.holder is None:
        yield "assigned"
    team, person = _holder(now, row, mapping)
    now.holder = (team if now.holder is None else now.holder[0], person)
    now.pause, now.done = None, True
    yield "completed"


def _holder(now: Standing, row: Row, mapping: LogMapping) -> tuple[str, str]:
    """The team and person that a row names; one that it does not name is the one who had the work."""
    team, person = now.holder or ("", "")
    return mapping.role("team", row.values) or team, mapping.role("person", row.values) or person
