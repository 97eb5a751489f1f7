"""A clock that goes on from where it was folded is the clock that all its history makes, whatever is said of it, and when."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from tests.counted import counted

from common.kernel.clock_events import Changed, OwnerChanged, Paused, Reopened, Resumed, Started, Stopped
from common.kernel.working_time import Calendar
from common.sla.ledger import Folded, Ledger, LedgerEvent, RuleUsed, fold_ledger
from common.sla.policy import parse_policy
from common.sla.rulebook import CalendarVersion, PolicyVersion, Rulebook

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHORTER = Calendar.from_json({"time_zone": "Asia/Shanghai", "weekly_hours": {day: [["10:00", "12:00"]] for day in ("mon", "tue", "wed")}})
KINDS = ("paused", "resumed", "owner_changed", "stopped", "reopened", "changed", "rule_used")

targets = st.sampled_from(
    ({"working_seconds": 7200}, {"working_days": 1, "meaning": "end_of_day"}, {"working_days": 2, "pauses_count": True})
)
said = st.tuples(st.sampled_from(KINDS), st.integers(-3, 30), st.sampled_from(("customer", "parts")), st.booleans())


def policy(version: int, target: dict[str, Any], urgent: dict[str, Any], *, all_pauses: bool) -> Any:
    """A policy of one stage, with another target for urgent cases; of pauses all count, or the customer's alone."""
    pauses = {} if all_pauses else {"pauses": ["customer"]}
    rules = [{"when": {"priority": "urgent"}, "target": urgent, "calendar": "cn", **pauses}, {"target": target, "calendar": "cn", **pauses}]
    return parse_policy({"policy": "tests", "version": version, "stages": {"stage": rules}})


def as_event(number: int, at: datetime, kind: str, who: str, urgent: bool) -> LedgerEvent:
    """What is said, as the ledger keeps it."""
    common: dict[str, Any] = {"id": f"e{number}", "at": at, "sequence": number}
    match kind:
        case "paused":
            return Paused(**common, party=who, reason="waits")
        case "resumed":
            return Resumed(**common)
        case "owner_changed":
            return OwnerChanged(**common, owner=who)
        case "stopped":
            return Stopped(**common)
        case "reopened":
            return Reopened(**common)
        case "changed":
            return Changed(**common, traits={"priority": "urgent" if urgent else "low"})
        case _:
            return RuleUsed(**common, rule="calendar cn@0")


def seen(folded: Folded) -> dict[str, Any]:
    """All that anybody can see of a fold."""
    return {name: value for name, value in folded._asdict().items() if name not in ("course", "folded")}


@counted(300, proof=20_000)
@given(
    rules=st.tuples(targets, targets, st.booleans(), st.sampled_from(("none", "policy", "calendar"))),
    story=st.lists(st.tuples(said, st.integers(0, 12)), max_size=12),
)
def test_a_clock_that_goes_on_is_the_clock_that_its_whole_history_makes(rules: Any, story: Any) -> None:
    first, second, all_pauses, later = rules
    known: list[Any] = [PolicyVersion(policy(1, first, second, all_pauses=all_pauses), event_id="p1")]
    if later == "policy":
        known.append(PolicyVersion(policy(2, second, first, all_pauses=all_pauses), START + 20 * HOUR, applies_to_open=True, event_id="p2"))
    if later == "calendar":
        known.append(CalendarVersion("cn", 1, SHORTER, START + 20 * HOUR, "c1"))
    book = Rulebook.of(known)
    began = Started(id="e1", at=START, sequence=1, owner="dispatch", traits={"priority": "low"})
    ledger, as_of = Ledger("stage", (began,)), START
    folded = fold_ledger(book, ledger, as_of)
    for number, ((kind, offset, who, urgent), passes) in enumerate(story, 2):
        # most things are said of now, some of the past, and sometimes only time passes
        at = as_of + (offset % 3) * HOUR if offset >= 0 else max(START, as_of + offset * HOUR)
        if kind == "rule_used" or passes:
            ledger = ledger.and_event(as_event(number, at, kind, who, urgent))
        as_of = max(as_of, at) + (passes % 3) * HOUR
        folded = fold_ledger(book, ledger, as_of, folded)
        event(f"goes on: {folded.course is not None}")
        assert seen(folded) == seen(fold_ledger(book, ledger, as_of))


def test_a_clock_goes_on_without_its_history_as_long_as_nothing_is_said_of_the_past() -> None:
    book = Rulebook.of([PolicyVersion(policy(1, {"working_seconds": 7200}, {"working_seconds": 3600}, all_pauses=True))])
    began = Started(id="e1", at=START, sequence=1, owner="dispatch", traits={"priority": "low"})
    ledger = Ledger("stage", (began,))
    before = fold_ledger(book, ledger, START)
    later = ledger.and_event(OwnerChanged(id="e2", at=START + HOUR, sequence=2, owner="li"))
    after = fold_ledger(book, later, START + HOUR, before)
    assert before.course is not None
    assert after.course is not None
    assert after.calendars is before.calendars  # nothing was looked up again
    of_the_past = later.and_event(Paused(id="e3", at=START + HOUR / 2, sequence=3, party="customer"))
    again = fold_ledger(book, of_the_past, START + HOUR, after)
    assert again.calendars is not after.calendars
    assert again.state.state == "paused"
