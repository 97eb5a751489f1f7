"""Histories of clocks and what each must answer, worked out by hand from interfaces 3b and 3c.

All times are UTC in January 2026, of which the 5th is a Monday; `mon-fri` works 09:00-18:00. Times are written `5 13:00` and lie on
quarter hours. Unless a history says otherwise it starts on Monday at 09:00 with a target of four hours, owned by wang, so that it
is due at 13:00.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

H = 3600
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FOUR_HOURS: dict[str, Any] = {"working_seconds": 4 * H}
NOTHING = {"none": True, "reason": "a courtesy"}


class Case(NamedTuple):
    """A question, what its answer has to hold, and the sentence of the contract that it shows."""

    shows: str
    question: dict[str, Any]
    expected: dict[str, Any]


def when(written: str) -> str:
    """`5 13:00` as an instant of January 2026."""
    day, _, time = written.partition(" ")
    hour, minute = time.split(":")
    return datetime(2026, 1, int(day), int(hour), int(minute), tzinfo=UTC).isoformat()


def event(kind: str, at: str, **fields: Any) -> dict[str, Any]:
    """An event whose id is its kind and time, so that lists of ignored ones can be read."""
    return {"id": f"{kind} {at}", "type": kind, "at": when(at), **fields}


def started(at: str = "5 09:00", target: dict[str, Any] = FOUR_HOURS, **fields: Any) -> dict[str, Any]:
    return event("started", at, **({"calendar": "mon-fri", "target": target, "owner": "wang"} | fields))


def paused(at: str, party: str = "customer") -> dict[str, Any]:
    return event("paused", at, party=party)


def resumed(at: str) -> dict[str, Any]:
    return event("resumed", at)


def stopped(at: str) -> dict[str, Any]:
    return event("stopped", at)


def reopened(at: str) -> dict[str, Any]:
    return event("reopened", at)


def voided(at: str, **fields: Any) -> dict[str, Any]:
    return event("voided", at, reason="withdrawn", **fields)


def restarted(at: str, **fields: Any) -> dict[str, Any]:
    return event("restarted", at, **fields)


def changed(at: str, **fields: Any) -> dict[str, Any]:
    return event("changed", at, **fields)


def extended(at: str, hours: int = 6, **fields: Any) -> dict[str, Any]:
    return event("extended", at, **({"target": hours_of_work(hours)} | fields))


def excused(at: str, since: str, until: str) -> dict[str, Any]:
    return event("excused", at, **{"from": when(since), "to": when(until), "reason": "a typhoon"})


def hours_of_work(number: int) -> dict[str, Any]:
    return {"working_seconds": number * H}


def days(number: int, **fields: Any) -> dict[str, Any]:
    return {"working_days": number, "meaning": "end_of_day", **fields}


def asked(as_of: str, *events: dict[str, Any]) -> dict[str, Any]:
    return {"events": list(events), "as_of": when(as_of)}


def says(state: str, outcome: str, deadline: str | None, elapsed: int, **others: Any) -> dict[str, Any]:
    """The whole answer of a clock: what is not named is nothing, and all working time is wang's."""
    rounds = others.get("rounds", [])
    answer: dict[str, Any] = {
        "state": state,
        "outcome": outcome,
        "deadline": deadline and when(deadline),
        "breached_at": when(deadline) if deadline and outcome == "breached" else None,
        "elapsed_working_seconds": elapsed,
        "overdue_working_seconds": 0,
        "working_seconds_by_owner": {"wang": elapsed + sum(each["elapsed_working_seconds"] for each in rounds)},
        "paused_working_seconds_by_party": {},
        "reopenings": 0,
        "extensions": 0,
        "excused_working_seconds": 0,
        "rounds": [],
        "ignored": [],
    }
    assert set(others) <= set(answer), others
    return answer | others


def a_round(since: str, until: str, outcome: str, deadline: str | None, elapsed: int) -> dict[str, Any]:
    return {
        "started_at": when(since),
        "ended_at": when(until),
        "outcome": outcome,
        "deadline": deadline and when(deadline),
        "elapsed_working_seconds": elapsed,
    }


def refused(code: str, field: str | None = None) -> dict[str, Any]:
    return {"error": {"code": code} if field is None else {"code": code, "field": field}}


FIRST_ROUND = a_round("5 09:00", "5 11:00", "superseded", "5 13:00", 2 * H)
OVER_LUNCH = excused("8 09:00", "5 10:00", "5 12:00")
"""Two of Monday's working hours, excused on Thursday."""

VOIDED = [
    Case(
        "an open outcome becomes void; the clock ends",
        asked("6 12:00", started(), voided("5 10:00")),
        says("void", "void", None, H),
    ),
    Case(
        "a met outcome becomes void",
        asked("6 12:00", started(), stopped("5 11:00"), voided("6 09:00")),
        says("void", "void", None, 2 * H),
    ),
    Case(
        "breached stays",
        asked("6 12:00", started(), voided("5 14:00")),
        says("void", "breached", "5 13:00", 5 * H, overdue_working_seconds=H),
    ),
    Case(
        "owed is true by default",
        asked("6 12:00", started(), voided("5 14:00", owed=True)),
        says("void", "breached", "5 13:00", 5 * H, overdue_working_seconds=H),
    ),
    Case(
        "breached stays unless owed is false: breached_at and deadline are null, overdue is 0",
        asked("6 12:00", started(), voided("5 14:00", owed=False)),
        says("void", "void", None, 5 * H),
    ),
    Case(
        "owed is false: the outcome is void whatever it was, an open one too",
        asked("6 12:00", started(), voided("5 10:00", owed=False)),
        says("void", "void", None, H),
    ),
    Case(
        "owed is false: the outcome is void whatever it was, a met one too",
        asked("6 12:00", started(), stopped("5 13:00"), voided("5 14:00", owed=False)),
        says("void", "void", None, 4 * H),
    ),
    Case(
        "voided in any state but void: while paused; paused time up to it is the party's",
        asked("6 12:00", started(), paused("5 10:00"), voided("5 12:00")),
        says("void", "void", None, H, paused_working_seconds_by_party={"customer": 2 * H}),
    ),
    Case(
        "voided in any state but void: stopped too late, the breach stays",
        asked("7 12:00", started(), stopped("5 14:00"), voided("6 09:00")),
        says("void", "breached", "5 13:00", 5 * H, overdue_working_seconds=H),
    ),
    Case(
        "voided in any state but void: stopped too late, but never owed",
        asked("7 12:00", started(), stopped("5 14:00"), voided("6 09:00", owed=False)),
        says("void", "void", None, 5 * H),
    ),
    Case(
        "at the deadline itself the outcome is open, so that it becomes void",
        asked("6 12:00", started(), voided("5 13:00")),
        says("void", "void", None, 4 * H),
    ),
    Case(
        "voided after a reopening: the reopenings are told",
        asked("6 12:00", started(), stopped("5 10:00"), reopened("5 11:00"), voided("5 12:00")),
        says("void", "void", None, 2 * H, reopenings=1),
    ),
    Case(
        "later events are ignored, each of them, another void too",
        asked(
            "9 18:00",
            started(),
            voided("5 10:00"),
            paused("5 11:00"),
            resumed("5 12:00"),
            event("owner_changed", "5 13:00", owner="li"),
            changed("5 14:00", target=NOTHING),
            extended("5 15:00"),
            stopped("5 16:00"),
            reopened("5 17:00"),
            restarted("6 09:00"),
            voided("6 10:00", owed=False),
        ),
        says(
            "void",
            "void",
            None,
            H,
            ignored=[
                "paused 5 11:00",
                "resumed 5 12:00",
                "owner_changed 5 13:00",
                "changed 5 14:00",
                "extended 5 15:00",
                "stopped 5 16:00",
                "reopened 5 17:00",
                "restarted 6 09:00",
                "voided 6 10:00",
            ],
        ),
    ),
    Case(
        "a second void is ignored, so that it cannot take the breach back",
        asked("6 12:00", started(), voided("5 14:00"), voided("5 15:00", owed=False)),
        says("void", "breached", "5 13:00", 5 * H, overdue_working_seconds=H, ignored=["voided 5 15:00"]),
    ),
    Case(
        "events after as_of do not count: not yet voided",
        asked("5 10:00", started(), voided("5 11:00")),
        says("running", "open", "5 13:00", H),
    ),
    Case(
        "before started everything but excused is ignored and listed",
        asked(
            "5 10:00",
            voided("5 07:00"),
            restarted("5 07:15"),
            extended("5 07:30"),
            changed("5 07:45", target=NOTHING),
            stopped("5 08:15"),
            started(),
        ),
        says(
            "running",
            "open",
            "5 13:00",
            H,
            ignored=["voided 5 07:00", "restarted 5 07:15", "extended 5 07:30", "changed 5 07:45", "stopped 5 08:15"],
        ),
    ),
]

RESTARTED = [
    Case(
        "a new round begins with nothing consumed, under the last target; a round that was not stopped ends superseded",
        asked("5 12:00", started(), restarted("5 11:00")),
        says("running", "open", "5 15:00", H, rounds=[FIRST_ROUND]),
    ),
    Case(
        "at its own instant nothing is consumed",
        asked("5 11:00", started(), restarted("5 11:00")),
        says("running", "open", "5 15:00", 0, rounds=[FIRST_ROUND]),
    ),
    Case(
        "ended_at is the stop where there was one; a met round has no deadline",
        asked("6 10:00", started(), stopped("5 10:00"), restarted("6 09:00")),
        says("running", "open", "6 13:00", H, rounds=[a_round("5 09:00", "5 10:00", "met", None, H)]),
    ),
    Case(
        "a round that was not stopped ends superseded unless it was breached",
        asked("5 16:00", started(), restarted("5 15:00")),
        says("running", "open", "6 10:00", H, rounds=[a_round("5 09:00", "5 15:00", "breached", "5 13:00", 6 * H)]),
    ),
    Case(
        "a round that was stopped too late is breached and ended at its stop",
        asked("5 16:00", started(), stopped("5 14:00"), restarted("5 15:00")),
        says("running", "open", "6 10:00", H, rounds=[a_round("5 09:00", "5 14:00", "breached", "5 13:00", 5 * H)]),
    ),
    Case(
        "a breach of the new round is its own",
        asked("6 12:00", started(), restarted("5 11:00")),
        says("running", "breached", "5 15:00", 10 * H, overdue_working_seconds=6 * H, rounds=[FIRST_ROUND]),
    ),
    Case(
        "deadline as it would have been answered just before the restart: null while paused; the new round is running",
        asked("5 13:00", started(), paused("5 10:00"), restarted("5 12:00")),
        says(
            "running",
            "open",
            "5 16:00",
            H,
            rounds=[a_round("5 09:00", "5 12:00", "superseded", None, H)],
            paused_working_seconds_by_party={"customer": 2 * H},
        ),
    ),
    Case(
        "deadline as it would have been answered just before the restart: at the deadline itself the round is open",
        asked("5 13:00", started(), restarted("5 13:00")),
        says("running", "open", "5 17:00", 0, rounds=[a_round("5 09:00", "5 13:00", "superseded", "5 13:00", 4 * H)]),
    ),
    Case(
        "under the named target",
        asked("5 12:00", started(), restarted("5 11:00", target=hours_of_work(2))),
        says("running", "open", "5 13:00", H, rounds=[FIRST_ROUND]),
    ),
    Case(
        "under the named calendar and target",
        asked("5 19:00", started(), restarted("5 17:00", calendar="24x7", target=FOUR_HOURS)),
        says("running", "open", "5 21:00", 2 * H, rounds=[a_round("5 09:00", "5 17:00", "breached", "5 13:00", 8 * H)]),
    ),
    Case(
        "the calendar alone may be named",
        asked("5 19:00", started(), stopped("5 11:00"), restarted("5 17:00", calendar="24x7")),
        says("running", "open", "5 21:00", 2 * H, rounds=[a_round("5 09:00", "5 11:00", "met", None, 2 * H)]),
    ),
    Case(
        "last target is the one in force, extensions included; extensions are the last round's",
        asked("5 12:00", started(), extended("5 10:00", 6), restarted("5 11:00")),
        says("running", "open", "5 17:00", H, rounds=[a_round("5 09:00", "5 11:00", "superseded", "5 15:00", 2 * H)]),
    ),
    Case(
        "last target and calendar are those of the change",
        asked("5 19:00", started(), changed("5 10:00", target=hours_of_work(12), calendar="24x7"), restarted("5 18:00")),
        says("running", "open", "6 06:00", H, rounds=[a_round("5 09:00", "5 18:00", "superseded", "5 21:00", 9 * H)]),
    ),
    Case(
        "last target is not the named one of a round before the change",
        asked(
            "5 14:00",
            started(),
            restarted("5 11:00", target=hours_of_work(5)),
            changed("5 12:00", target=hours_of_work(6)),
            restarted("5 13:00"),
        ),
        says(
            "running",
            "open",
            "6 10:00",
            H,
            rounds=[FIRST_ROUND, a_round("5 11:00", "5 13:00", "superseded", "5 17:00", 2 * H)],
        ),
    ),
    Case(
        "the owner stays; the owners' seconds sum to those of all rounds",
        asked(
            "5 14:00",
            started(),
            event("owner_changed", "5 10:00", owner="li"),
            restarted("5 11:00"),
            event("owner_changed", "5 12:00", owner="wang"),
        ),
        says("running", "open", "5 15:00", 3 * H, rounds=[FIRST_ROUND], working_seconds_by_owner={"wang": 3 * H, "li": 2 * H}),
    ),
    Case(
        "paused_working_seconds_by_party sum over all rounds",
        asked(
            "5 15:00",
            started(),
            paused("5 10:00"),
            restarted("5 11:00"),
            paused("5 12:00"),
            resumed("5 13:00"),
            paused("5 14:00", "supplier"),
        ),
        says(
            "paused",
            "open",
            None,
            2 * H,
            rounds=[a_round("5 09:00", "5 11:00", "superseded", None, H)],
            paused_working_seconds_by_party={"customer": 2 * H, "supplier": H},
        ),
    ),
    Case(
        "reopenings are the last round's; a stop that was taken back does not end the round",
        asked("5 13:00", started(), stopped("5 10:00"), reopened("5 11:00"), restarted("5 12:00")),
        says("running", "open", "5 16:00", H, rounds=[a_round("5 09:00", "5 12:00", "superseded", "5 14:00", 2 * H)]),
    ),
    Case(
        "ignored holds the ids of all rounds",
        asked("5 12:00", started(), resumed("5 10:00"), restarted("5 11:00"), reopened("5 11:30")),
        says("running", "open", "5 15:00", H, rounds=[FIRST_ROUND], ignored=["resumed 5 10:00", "reopened 5 11:30"]),
    ),
    Case(
        "rounds lists the earlier ones in order; the last one may be stopped",
        asked("7 12:00", started(), restarted("5 11:00"), stopped("5 12:00"), restarted("6 09:00"), stopped("6 10:00")),
        says("stopped", "met", None, H, rounds=[FIRST_ROUND, a_round("5 11:00", "5 12:00", "met", None, H)]),
    ),
    Case(
        "a restart counts days from the round's start",
        asked("6 12:00", started(target=days(1)), restarted("6 10:00")),
        says("running", "open", "7 18:00", 2 * H, rounds=[a_round("5 09:00", "6 10:00", "superseded", "6 18:00", 10 * H)]),
    ),
    Case(
        "original start is the round's, for a change too",
        asked("7 12:00", started(target=days(1)), stopped("5 10:00"), restarted("7 10:00"), changed("7 12:00", target=days(2))),
        says("running", "open", "9 18:00", 2 * H, rounds=[a_round("5 09:00", "5 10:00", "met", None, H)]),
    ),
    Case(
        "a cut-off looks at the round's start",
        asked("5 17:00", started(target=days(0, cut_off="16:00")), restarted("5 16:00")),
        says("running", "open", "6 18:00", H, rounds=[a_round("5 09:00", "5 16:00", "superseded", "5 18:00", 7 * H)]),
    ),
    Case(
        "a restart outside working time waits for the next working instant with a target of 0",
        asked("5 20:00", started(), stopped("5 12:00"), restarted("5 19:00", target=hours_of_work(0))),
        says("running", "open", "6 09:00", 0, rounds=[a_round("5 09:00", "5 12:00", "met", None, 3 * H)]),
    ),
    Case(
        "with owed: false in a later round the earlier rounds keep their outcomes",
        asked("6 12:00", started(), restarted("5 14:00"), voided("6 11:00", owed=False)),
        says("void", "void", None, 6 * H, rounds=[a_round("5 09:00", "5 14:00", "breached", "5 13:00", 5 * H)]),
    ),
    Case(
        "a restart that becomes known late makes another history",
        asked("6 12:00", started(), stopped("5 14:00"), restarted("5 12:00")),
        says("stopped", "met", None, 2 * H, rounds=[a_round("5 09:00", "5 12:00", "superseded", "5 13:00", 3 * H)]),
    ),
]

EXTENDED = [
    Case(
        "like changed, before the deadline; the answer counts it",
        asked("5 12:00", started(), extended("5 10:00")),
        says("running", "open", "5 15:00", 3 * H, extensions=1),
    ),
    Case(
        "not after the deadline in force: at the deadline itself is in time",
        asked("5 14:00", started(), extended("5 13:00")),
        says("running", "open", "5 15:00", 5 * H, extensions=1),
    ),
    Case(
        "after the deadline in force it is ignored",
        asked("5 14:00", started(), extended("5 13:15")),
        says("running", "breached", "5 13:00", 5 * H, overdue_working_seconds=H, ignored=["extended 5 13:15"]),
    ),
    Case(
        "the deadline in force is that of an earlier extension",
        asked("5 16:00", started(), extended("5 13:00", 6), extended("5 15:00", 8)),
        says("running", "open", "5 17:00", 7 * H, extensions=2),
    ),
    Case(
        "the deadline in force is that of an earlier change",
        asked("5 12:00", started(), changed("5 10:00", target=hours_of_work(2)), extended("5 11:30")),
        says("running", "breached", "5 11:00", 3 * H, overdue_working_seconds=H, ignored=["extended 5 11:30"]),
    ),
    Case(
        "while paused too, however long",
        asked("7 10:00", started(), paused("5 10:00"), extended("6 17:00"), resumed("7 09:00")),
        says("running", "open", "7 14:00", 2 * H, extensions=1, paused_working_seconds_by_party={"customer": 17 * H}),
    ),
    Case(
        "only while running or paused: stopped it is ignored",
        asked("5 14:00", started(), stopped("5 11:00"), extended("5 12:00")),
        says("stopped", "met", None, 2 * H, ignored=["extended 5 12:00"]),
    ),
    Case(
        "after a breach ignored, also when a later change raised the target",
        asked("5 16:00", started(), changed("5 14:00", target=hours_of_work(10)), extended("5 15:00", 12)),
        says("running", "breached", "5 13:00", 7 * H, ignored=["extended 5 15:00"]),
    ),
    Case(
        "to less than is consumed it acts like changed: breached at its instant",
        asked("5 12:00", started(), extended("5 12:00", 2)),
        says("running", "breached", "5 12:00", 3 * H, overdue_working_seconds=H, extensions=1),
    ),
    Case(
        "to less, but more than is consumed, it acts like changed: due sooner",
        asked("5 10:00", started(), extended("5 10:00", 2)),
        says("running", "open", "5 11:00", H, extensions=1),
    ),
    Case(
        "an extension by days is counted from the original start",
        asked("7 09:00", started(target=days(1)), extended("6 18:00", target=days(2))),
        says("running", "open", "7 18:00", 18 * H, extensions=1),
    ),
    Case(
        "a fixed instant passes while paused, and then it is too late to extend",
        asked("7 09:00", started(target=days(1)), paused("5 10:00"), extended("6 18:15", target=days(2))),
        says(
            "paused",
            "breached",
            "6 18:00",
            H,
            paused_working_seconds_by_party={"customer": 17 * H},
            ignored=["extended 6 18:15"],
        ),
    ),
    Case(
        "extended while nothing is promised is ignored",
        asked("5 12:00", started(target=NOTHING), extended("5 10:00")),
        says("running", "none", None, 3 * H, ignored=["extended 5 10:00"]),
    ),
    Case(
        "in a new round an extension is possible again, and is counted anew",
        asked("5 16:00", started(), extended("5 10:00", 5), restarted("5 15:00"), extended("5 16:00", 6)),
        says(
            "running",
            "open",
            "6 12:00",
            H,
            extensions=1,
            rounds=[a_round("5 09:00", "5 15:00", "breached", "5 14:00", 6 * H)],
        ),
    ),
]

EXCUSED = [
    Case(
        "between from and to the calendar counts as closed; the working time that fell into it is told",
        asked("5 14:00", started(), excused("5 12:00", "5 10:00", "5 12:00")),
        says("running", "open", "5 15:00", 3 * H, excused_working_seconds=2 * H),
    ),
    Case(
        "for the past as well, so that a breach may turn out to be none",
        asked("9 09:00", started(), stopped("5 14:00"), OVER_LUNCH),
        says("stopped", "met", None, 3 * H, excused_working_seconds=2 * H),
    ),
    Case(
        "events after as_of do not count: a day earlier the breach stands",
        asked("7 09:00", started(), stopped("5 14:00"), OVER_LUNCH),
        says("stopped", "breached", "5 13:00", 5 * H, overdue_working_seconds=H),
    ),
    Case(
        "a breach that is only moved stays one",
        asked("9 18:00", started(), stopped("5 16:00"), OVER_LUNCH),
        says("stopped", "breached", "5 15:00", 5 * H, overdue_working_seconds=H, excused_working_seconds=2 * H),
    ),
    Case(
        "counts whatever its at: before started, and it is not ignored",
        asked("5 14:00", excused("1 09:00", "5 10:00", "5 12:00"), started()),
        says("running", "open", "5 15:00", 3 * H, excused_working_seconds=2 * H),
    ),
    Case(
        "counts also after voided: the breach is none and the outcome void",
        asked("9 09:00", started(), voided("5 14:00"), OVER_LUNCH),
        says("void", "void", None, 3 * H, excused_working_seconds=2 * H),
    ),
    Case(
        "in any state: while stopped and while paused",
        asked("9 09:00", started(), paused("5 13:00"), excused("5 14:00", "5 09:00", "5 10:00"), stopped("5 15:00"), OVER_LUNCH),
        says("stopped", "met", None, H, paused_working_seconds_by_party={"customer": 2 * H}, excused_working_seconds=3 * H),
    ),
    Case(
        "windows may overlap: what both cover counts once",
        asked("5 15:00", started(), excused("5 14:00", "5 10:00", "5 12:00"), excused("5 14:30", "5 11:00", "5 13:00")),
        says("running", "open", "5 16:00", 3 * H, excused_working_seconds=3 * H),
    ),
    Case(
        "windows may lie in one another and touch",
        asked(
            "5 15:00",
            started(),
            excused("5 14:00", "5 10:00", "5 12:00"),
            excused("5 14:10", "5 10:30", "5 11:00"),
            excused("5 14:20", "5 12:00", "5 13:00"),
        ),
        says("running", "open", "5 16:00", 3 * H, excused_working_seconds=3 * H),
    ),
    Case(
        "a window outside working time changes nothing",
        asked("6 09:00", started(target=hours_of_work(10)), excused("5 20:00", "5 18:00", "6 09:00")),
        says("running", "open", "6 10:00", 9 * H),
    ),
    Case(
        "a window that is open at the start takes only what comes after it",
        asked("5 12:00", started(), excused("5 09:00", "4 00:00", "5 10:00")),
        says("running", "open", "5 14:00", 2 * H, excused_working_seconds=H),
    ),
    Case(
        "a window ahead moves the deadline before anything fell into it",
        asked("5 10:00", started(), excused("5 10:00", "5 12:00", "6 09:00")),
        says("running", "open", "6 10:00", H),
    ),
    Case(
        "what has not yet passed did not yet fall into the window",
        asked("5 11:00", started(), excused("5 10:00", "5 10:00", "5 12:00")),
        says("running", "open", "5 15:00", H, excused_working_seconds=H),
    ),
    Case(
        "the working time while running: closed is closed for the party of a pause as well",
        asked("5 13:00", started(), paused("5 10:00"), excused("5 12:00", "5 09:30", "5 11:00"), resumed("5 12:00")),
        says(
            "running",
            "open",
            "5 15:30",
            3 * H // 2,
            paused_working_seconds_by_party={"customer": H},
            excused_working_seconds=H // 2,
        ),
    ),
    Case(
        "while stopped nothing falls into a window",
        asked("5 16:00", started(), stopped("5 10:00"), reopened("5 14:00"), excused("5 15:00", "5 09:30", "5 14:30")),
        says("running", "open", "5 18:00", 2 * H, reopenings=1, excused_working_seconds=H),
    ),
    Case(
        "the calendar in force says what working time fell into a window",
        asked("5 21:00", started(), changed("5 10:00", calendar="24x7"), excused("5 20:00", "5 12:00", "5 20:00")),
        says("running", "open", "5 21:00", 4 * H, excused_working_seconds=8 * H),
    ),
    Case(
        "a target of 0 is due when the window is over",
        asked("5 10:00", started("5 10:00", hours_of_work(0)), excused("5 10:00", "5 09:00", "5 12:00")),
        says("running", "open", "5 12:00", 0, working_seconds_by_owner={}),
    ),
    Case(
        "working_hours: the ordinary day keeps its length, the window does not count",
        asked("5 12:00", started(target={"working_days": 1, "meaning": "working_hours"}), excused("5 12:00", "5 10:00", "5 12:00")),
        says("running", "open", "6 11:00", H, excused_working_seconds=2 * H),
    ),
    Case(
        "a day whose closing lies in such a window is no working day",
        asked("5 10:00", started(target=days(1)), excused("5 10:00", "6 12:00", "6 18:00")),
        says("running", "open", "7 18:00", H),
    ),
    Case(
        "a closing lies in a window when closing ≤ to: a quarter of an hour less and the day is one",
        asked("5 10:00", started(target=days(1)), excused("5 10:00", "6 09:00", "6 17:45")),
        says("running", "open", "6 18:00", H),
    ),
    Case(
        "a closing lies in a window when from < closing: a window from closing on leaves the day",
        asked("5 10:00", started(target=days(1)), excused("5 10:00", "6 18:00", "7 09:00")),
        says("running", "open", "6 18:00", H),
    ),
    Case(
        "a day between is no working day either",
        asked("5 10:00", started(target=days(2)), excused("5 10:00", "6 17:00", "6 19:00")),
        says("running", "open", "8 18:00", H),
    ),
    Case(
        "a window that covers two closings takes two days away",
        asked("5 10:00", started(target=days(1)), excused("5 10:00", "6 17:00", "7 18:00")),
        says("running", "open", "8 18:00", H),
    ),
    Case(
        "the closing of the start's own date does not matter when days are counted after it",
        asked("5 18:00", started(target=days(1)), excused("5 10:00", "5 16:00", "5 18:00")),
        says("running", "open", "6 18:00", 7 * H, excused_working_seconds=2 * H),
    ),
    Case(
        "with by, what falls due decides: the closing lies in the window, the hour does not",
        asked("5 10:00", started(target=days(1, by="16:00")), excused("5 10:00", "6 17:00", "6 18:00")),
        says("running", "open", "6 16:00", H),
    ),
    Case(
        "with by, what falls due decides: the hour lies in the window, the closing does not",
        asked("5 10:00", started(target=days(1, by="16:00")), excused("5 10:00", "6 15:00", "6 16:00")),
        says("running", "open", "7 16:00", H),
    ),
    Case(
        "with by at which a window begins the day stays",
        asked("5 10:00", started(target=days(1, by="16:00")), excused("5 10:00", "6 16:00", "6 18:00")),
        says("running", "open", "6 16:00", H),
    ),
    Case(
        "by later than closing: the closing falls due",
        asked("5 10:00", started(target=days(1, by="20:00")), excused("5 10:00", "6 17:00", "6 18:00")),
        says("running", "open", "7 18:00", H),
    ),
    Case(
        "the same day: a start on a day that is none now is due on the next",
        asked("5 10:00", started(target=days(0)), excused("5 10:00", "5 17:00", "5 18:00")),
        says("running", "open", "6 18:00", H),
    ),
    Case(
        "with a cut-off, day 0 is the next working day when the start's date is none now",
        asked("5 10:00", started(target=days(1, cut_off="16:00")), excused("5 10:00", "5 17:00", "5 18:00")),
        says("running", "open", "7 18:00", H),
    ),
    Case(
        "after the cut-off, day 0 is the next working day that is none of the excused ones",
        asked("5 17:00", started("5 16:00", days(0, cut_off="16:00")), excused("5 16:00", "6 17:00", "6 18:00")),
        says("running", "open", "7 18:00", H),
    ),
    Case(
        "after the hour, day 0 is the next working day on which the hour is not excused",
        asked("5 17:00", started("5 16:00", days(0, by="16:00")), excused("5 16:00", "6 15:00", "6 16:00")),
        says("running", "open", "7 16:00", H),
    ),
    Case(
        "a Friday whose closing is excused is followed by Monday",
        asked("8 10:00", started("8 09:00", days(1)), excused("8 10:00", "9 17:00", "9 18:00")),
        says("running", "open", "12 18:00", H),
    ),
    Case(
        "overdue is the working time after the fixed instant, without the window",
        asked("7 12:00", started(target=days(1)), excused("7 11:00", "7 10:00", "7 11:00")),
        says("running", "breached", "6 18:00", 20 * H, overdue_working_seconds=2 * H, excused_working_seconds=H),
    ),
    Case(
        "a breach of a fixed instant may turn out to be none",
        asked("9 09:00", started(target=days(1)), stopped("7 10:00"), excused("8 09:00", "6 17:00", "6 18:00")),
        says("stopped", "met", None, 18 * H, excused_working_seconds=H),
    ),
    Case(
        "pauses_count: the working time up to the end of the day is the target, without the window",
        asked("5 12:00", started("5 12:00", days(1, pauses_count=True)), excused("5 12:00", "5 13:00", "5 15:00")),
        says("running", "open", "6 18:00", 0, working_seconds_by_owner={}),
    ),
    Case(
        "pauses_count: a pause moves the instant by the paused working time",
        asked(
            "5 17:00",
            started("5 12:00", days(1, pauses_count=True)),
            excused("5 12:00", "5 13:00", "5 15:00"),
            paused("5 14:00"),
            resumed("5 17:00"),
        ),
        says("running", "open", "7 11:00", H, paused_working_seconds_by_party={"customer": 2 * H}, excused_working_seconds=H),
    ),
    Case(
        "an earlier round's breach may turn out to be none too; the seconds are the last round's",
        asked("9 09:00", started(), restarted("5 14:00"), stopped("5 15:00"), OVER_LUNCH),
        says("stopped", "met", None, H, rounds=[a_round("5 09:00", "5 14:00", "superseded", "5 15:00", 3 * H)]),
    ),
    Case(
        "a window over a restart: each round loses its own part, the last one's is told",
        asked("5 14:00", started(), excused("5 13:00", "5 10:00", "5 13:00"), restarted("5 11:00")),
        says(
            "running",
            "open",
            "5 17:00",
            H,
            rounds=[a_round("5 09:00", "5 11:00", "superseded", "5 16:00", H)],
            excused_working_seconds=2 * H,
        ),
    ),
    Case(
        "an extension that came too late was in time after all",
        asked("8 09:00", started(), extended("5 14:00", 5), stopped("5 16:00"), OVER_LUNCH),
        says("stopped", "met", None, 5 * H, extensions=1, excused_working_seconds=2 * H),
    ),
    Case(
        "a change to less than was consumed is none when the window took it away",
        asked("8 09:00", started(), changed("5 12:00", target=hours_of_work(2)), stopped("5 13:00"), OVER_LUNCH),
        says("stopped", "met", None, 2 * H, excused_working_seconds=2 * H),
    ),
    Case(
        "never owed after all, although the window would have excused only a part",
        asked("9 09:00", started(), stopped("5 16:00"), voided("6 09:00", owed=False), OVER_LUNCH),
        says("void", "void", None, 5 * H, excused_working_seconds=2 * H),
    ),
]

NONE = [
    Case(
        "promises nothing: deadline is null, outcome none, elapsed seconds are still counted",
        asked("9 09:00", started(target=NOTHING)),
        says("running", "none", None, 36 * H),
    ),
    Case(
        "outcome none in every state: paused",
        asked("5 12:00", started(target=NOTHING), paused("5 10:00")),
        says("paused", "none", None, H, paused_working_seconds_by_party={"customer": 2 * H}),
    ),
    Case(
        "outcome none in every state: stopped",
        asked("5 12:00", started(target=NOTHING), stopped("5 10:00")),
        says("stopped", "none", None, H),
    ),
    Case(
        "outcome none in every state: reopened",
        asked("5 12:00", started(target=NOTHING), stopped("5 10:00"), reopened("5 11:00")),
        says("running", "none", None, 2 * H, reopenings=1),
    ),
    Case(
        "none stays when it is voided",
        asked("5 12:00", started(target=NOTHING), voided("5 10:00")),
        says("void", "none", None, H),
    ),
    Case(
        "none stays when it is restarted: for the round that ends and for the next one",
        asked("5 12:00", started(target=NOTHING), restarted("5 11:00")),
        says("running", "none", None, H, rounds=[a_round("5 09:00", "5 11:00", "none", None, 2 * H)]),
    ),
    Case(
        "a stopped round that promised nothing stays none",
        asked("5 12:00", started(target=NOTHING), stopped("5 10:00"), restarted("5 11:00")),
        says("running", "none", None, H, rounds=[a_round("5 09:00", "5 10:00", "none", None, H)]),
    ),
    Case(
        "a new round may promise something again",
        asked("5 12:00", started(target=NOTHING), restarted("5 11:00", target=FOUR_HOURS)),
        says("running", "open", "5 15:00", H, rounds=[a_round("5 09:00", "5 11:00", "none", None, 2 * H)]),
    ),
    Case(
        "a new round may promise nothing",
        asked("9 09:00", started(), restarted("5 11:00", target=NOTHING)),
        says("running", "none", None, 34 * H, rounds=[FIRST_ROUND]),
    ),
    Case(
        "changed to none before the deadline: nothing is promised any more",
        asked("6 09:00", started(), changed("5 13:00", target=NOTHING)),
        says("running", "none", None, 9 * H),
    ),
    Case(
        "a breach stays when the target is changed to none",
        asked("6 09:00", started(), changed("5 14:00", target=NOTHING)),
        says("running", "breached", "5 13:00", 9 * H),
    ),
    Case(
        "changed from none: what was consumed before stays consumed",
        asked("5 12:00", started(target=NOTHING), changed("5 12:00", target=FOUR_HOURS)),
        says("running", "open", "5 13:00", 3 * H),
    ),
    Case(
        "changed from none to less than is consumed: breached at the change",
        asked("5 13:00", started(target=NOTHING), changed("5 12:00", target=hours_of_work(2))),
        says("running", "breached", "5 12:00", 4 * H, overdue_working_seconds=2 * H),
    ),
    Case(
        "another calendar alone leaves nothing promised",
        asked("5 20:00", started(target=NOTHING), changed("5 17:00", calendar="24x7")),
        says("running", "none", None, 11 * H),
    ),
    Case(
        "windows count for elapsed seconds when nothing is promised",
        asked("5 14:00", started(target=NOTHING), excused("5 12:00", "5 10:00", "5 12:00")),
        says("running", "none", None, 3 * H, excused_working_seconds=2 * H),
    ),
]

AT_THE_EDGE = [
    Case(
        "paused exactly when the target is reached: breached at that instant",
        asked("5 14:00", started(), paused("5 13:00")),
        says("paused", "breached", "5 13:00", 4 * H, paused_working_seconds_by_party={"customer": H}),
    ),
    Case(
        "reopened after the deadline passed in the stop: breached at that instant",
        asked("8 12:00", started(target=days(1)), stopped("5 10:00"), reopened("8 10:00")),
        says("running", "breached", "8 10:00", 3 * H, overdue_working_seconds=2 * H, reopenings=1),
    ),
    Case(
        "changed to what is consumed: breached at that instant",
        asked("5 12:00", started(), changed("5 11:00", target=hours_of_work(2))),
        says("running", "breached", "5 11:00", 3 * H, overdue_working_seconds=H),
    ),
    Case(
        "changed to a day that has passed: breached at that instant",
        asked("7 12:00", started(target=days(5)), changed("7 10:00", target=days(1))),
        says("running", "breached", "7 10:00", 21 * H, overdue_working_seconds=3 * H),
    ),
    Case(
        "pauses_count moves the instant by the paused working time, past by too",
        asked("5 15:00", started("5 12:00", days(1, by="16:00", pauses_count=True)), paused("5 13:00"), resumed("5 15:00")),
        says("running", "open", "6 18:00", H, paused_working_seconds_by_party={"customer": 2 * H}),
    ),
    Case(
        "with a cut-off, n = 1, a Saturday's request is due on Tuesday",
        asked("10 10:00", started("10 10:00", days(1, cut_off="16:00"))),
        says("running", "open", "13 18:00", 0, working_seconds_by_owner={}),
    ),
    Case(
        "cut_off later than closing: the earlier of both counts",
        asked("5 18:00", started("5 18:00", days(0, cut_off="20:00"))),
        says("running", "open", "6 18:00", 0, working_seconds_by_owner={}),
    ),
    Case(
        "for n = 0 the start must lie before by too, else the next working day",
        asked("5 16:00", started("5 16:00", days(0, by="16:00"))),
        says("running", "open", "6 16:00", 0, working_seconds_by_owner={}),
    ),
]

NEW_YORK = {"time_zone": "America/New_York", "weekly_hours": {day: [["00:00", "24:00"]] for day in DAYS}}
NIGHTS = {"time_zone": "UTC", "weekly_hours": {"fri": [["22:00", "06:00"]]}}
SHORT_MONDAY = {"mon": [["09:00", "12:00"]], "tue": [["09:00", "18:00"]]}
ONE_DAY_OF_WORK = {"working_days": 1, "meaning": "working_hours"}

SINGLE_QUESTIONS = [
    Case(
        "a single question about a target that promises nothing has no deadline",
        {"calendar": "mon-fri", "start": when("5 09:00"), "target": NOTHING},
        {"deadline": None, "provisional": False},
    ),
    Case(
        "a local time that a day skips is taken as the end of a range is",
        {"calendar": NEW_YORK, "start": "2026-03-07T12:00:00-05:00", "target": days(1, by="02:30")},
        {"deadline": "2026-03-08T07:00:00+00:00", "provisional": False},
    ),
    Case(
        "a local time that a day has twice is taken as the end of a range is",
        {"calendar": NEW_YORK, "start": "2026-10-31T12:00:00-04:00", "target": days(1, by="01:30")},
        {"deadline": "2026-11-01T06:30:00+00:00", "provisional": False},
    ),
    Case(
        "on a day whose range runs over midnight they are times of that date",
        {"calendar": NIGHTS, "start": when("8 12:00"), "target": days(1, by="23:00")},
        {"deadline": when("9 23:00"), "provisional": False},
    ),
    Case(
        "a target of 0 of 3 is about working_hours too",
        {"calendar": "mon-fri", "start": when("10 12:00"), "target": {"working_days": 0, "meaning": "working_hours"}},
        {"deadline": when("12 09:00"), "provisional": False},
    ),
    Case(
        "the ordinary day is the most common length, the earliest weekday's when they tie",
        {"calendar": {"time_zone": "UTC", "weekly_hours": SHORT_MONDAY}, "start": when("6 09:00"), "target": ONE_DAY_OF_WORK},
        {"deadline": when("6 12:00"), "provisional": False},
    ),
    Case(
        "seasons do not matter for the ordinary day",
        {
            "calendar": {
                "time_zone": "UTC",
                "weekly_hours": SHORT_MONDAY,
                "seasons": [{"from": "01-01", "to": "01-31", "weekly_hours": {"tue": [["08:00", "16:00"]]}}],
            },
            "start": when("6 08:00"),
            "target": ONE_DAY_OF_WORK,
        },
        {"deadline": when("6 11:00"), "provisional": False},
    ),
    Case(
        "make_up_hours default to Monday's of the season in force",
        {
            "calendar": {
                "time_zone": "UTC",
                "weekly_hours": SHORT_MONDAY,
                "seasons": [{"from": "01-01", "to": "01-31", "weekly_hours": {"mon": [["08:00", "10:00"]]}}],
                "make_up_days": ["2026-01-10"],
            },
            "date": "2026-01-10",
        },
        {"working_day": True, "ranges": [["08:00", "10:00"]]},
    ),
    Case(
        "whole clocks carry provisional for a projected deadline",
        {
            "events": [{**started(calendar="cn", target=hours_of_work(2)), "at": "2026-12-25T17:00:00+08:00"}],
            "as_of": "2026-12-25T17:00:00+08:00",
        },
        {"deadline": "2026-12-28T10:00:00+08:00", "provisional": True, "rounds": [], "extensions": 0, "excused_working_seconds": 0},
    ),
]

CONTRADICTORY = {**NIGHTS, "closed_dates": ["2026-01-09"], "make_up_days": ["2026-01-09"]}

REFUSED = [
    Case("voided has no such field", asked("5 12:00", started(), voided("5 10:00", owd=True)), refused("unknown_field", "events[1].owd")),
    Case(
        "restarted has no owner", asked("5 12:00", started(), restarted("5 10:00", owner="li")), refused("unknown_field", "events[1].owner")
    ),
    Case(
        "extended has no calendar",
        asked("5 12:00", started(), extended("5 10:00", calendar="24x7")),
        refused("unknown_field", "events[1].calendar"),
    ),
    Case(
        "excused says to, not until",
        asked("5 12:00", started(), {**excused("5 10:00", "5 10:00", "5 11:00"), "until": when("5 11:00")}),
        refused("unknown_field", "events[1].until"),
    ),
    Case(
        "stopped has no reason",
        asked("5 12:00", started(), event("stopped", "5 10:00", reason="")),
        refused("unknown_field", "events[1].reason"),
    ),
    Case(
        "reopened has nothing",
        asked("5 12:00", started(), event("reopened", "5 10:00", owner="")),
        refused("unknown_field", "events[1].owner"),
    ),
    Case(
        "a target has no such field",
        asked("5 12:00", started(target={**NOTHING, "reasn": ""})),
        refused("unknown_field", "events[0].target.reasn"),
    ),
    Case("to < from", asked("5 12:00", started(), excused("5 10:00", "5 11:00", "5 10:00")), refused("bad_instant")),
    Case("to = from", asked("5 12:00", started(), excused("5 10:00", "5 11:00", "5 11:00")), refused("bad_instant")),
    Case(
        "from has no offset",
        asked("5 12:00", started(), {**excused("5 10:00", "5 10:00", "5 11:00"), "from": "2026-01-05T10:00:00"}),
        refused("bad_instant", "events[1].from"),
    ),
    Case(
        "a window has an end",
        asked("5 12:00", started(), event("excused", "5 10:00", **{"from": when("5 10:00")})),
        refused("bad_instant", "events[1].to"),
    ),
    Case("extending to none", asked("5 12:00", started(), extended("5 10:00", target=NOTHING)), refused("bad_target")),
    Case(
        "an extension names a target", asked("5 12:00", started(), event("extended", "5 10:00")), refused("bad_target", "events[1].target")
    ),
    Case("cut_off beside none", asked("5 12:00", started(target={**NOTHING, "cut_off": "16:00"})), refused("bad_target")),
    Case("by beside none", asked("5 12:00", started(target={**NOTHING, "by": "16:00"})), refused("bad_target")),
    Case("pauses_count beside none", asked("5 12:00", started(target={**NOTHING, "pauses_count": True})), refused("bad_target")),
    Case(
        "cut_off beside another meaning, in a restart",
        asked("5 12:00", started(), restarted("5 10:00", target={"working_days": 1, "meaning": "working_hours", "cut_off": "16:00"})),
        refused("bad_target", "events[1].target.cut_off"),
    ),
    Case("none beside working seconds", asked("5 12:00", started(target={**NOTHING, "working_seconds": 1})), refused("bad_target")),
    Case(
        "a restart to an unknown calendar",
        asked("5 12:00", started(), restarted("5 10:00", calendar="dm")),
        refused("unknown_calendar", "events[1].calendar"),
    ),
    Case("owed is yes or no", asked("5 12:00", started(), voided("5 10:00", owed="no")), refused("bad_event", "events[1].owed")),
    Case(
        "the same id with another window",
        asked("5 12:00", started(), OVER_LUNCH, {**OVER_LUNCH, "to": when("5 13:00")}),
        refused("conflicting_duplicate"),
    ),
    Case(
        "unsure_from without known_until",
        asked("5 12:00", started(calendar={**NIGHTS, "unsure_from": "12-26"})),
        refused("bad_calendar"),
    ),
    Case(
        "a date both in closed_dates and make_up_days",
        asked("5 12:00", started(), restarted("5 10:00", calendar=CONTRADICTORY)),
        refused("bad_calendar"),
    ),
    Case("an excuse alone starts no clock", asked("9 09:00", OVER_LUNCH), refused("not_started")),
]

CLOCKS = [*VOIDED, *RESTARTED, *EXTENDED, *EXCUSED, *NONE, *AT_THE_EDGE]
ANSWERED = [*CLOCKS, *SINGLE_QUESTIONS]
CASES = [*ANSWERED, *REFUSED]
