"""Which excused windows are about a clock, by the traits that its case had when the window began, and where they meet working time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from common.kernel.calendars import built_in
from common.kernel.clock_events import Changed, Started
from common.kernel.faults import Fault
from common.kernel.instants import to_micros
from common.kernel.timeline import Stretch
from common.sla.excuses import EXCUSES, ExcusedVersion, ExcusedWindow
from common.sla.excusing import excuses_of, windows_in
from common.sla.policy import load_policy
from common.sla.rulebook import PolicyVersion, Rulebook

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
BEGINS = START + 4 * HOUR


def changed(at: datetime, **traits: str) -> Changed:
    return Changed(id=f"{at}", at=at, sequence=2, traits=traits)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ([], False),
        ([changed(BEGINS, region="south")], True),
        ([changed(BEGINS + HOUR, region="south")], False),
        ([changed(START + HOUR, region="south"), changed(BEGINS, priority="high")], True),
        ([changed(BEGINS, region="north"), changed(START + HOUR, region="south")], False),
        ([replace(changed(BEGINS, region="south"), sequence=3), changed(BEGINS, region="north")], True),
    ],
    ids=[
        "never",
        "in the instant in which it begins",
        "after it began",
        "and another trait later",
        "no more, known in another order",
        "the later word of one instant",
    ],
)
def test_a_window_counts_for_a_case_that_has_its_traits_when_it_begins(changes: list[Changed], counts: bool) -> None:
    window = ExcusedWindow(BEGINS, BEGINS + HOUR, "typhoon", where={"region": "south", "product": "boiler"})
    typhoon = {"typhoon": (ExcusedVersion("typhoon", 1, window, BEGINS, "w1"),)}
    rulebook = replace(Rulebook.of([PolicyVersion(load_policy("complaints"), event_id="p1")]), excused=typhoon, service="complaints")
    started = Started(id="s", at=START, sequence=1, owner="E1", traits={"region": "north", "product": "boiler"})
    assert bool(windows_in(excuses_of(rulebook, "stage", started, changes))) == counts


def test_a_window_that_ends_when_it_begins_is_none() -> None:
    with pytest.raises(Fault) as found:
        EXCUSES.parse({"from": START.isoformat(), "to": START.isoformat(), "reason": "typhoon"})
    assert (found.value.where, found.value.rule) == (("to",), "bad_window")


def test_a_target_that_is_reached_when_a_window_begins_is_not_put_off_to_its_end() -> None:
    window = Stretch(to_micros(BEGINS), to_micros(BEGINS + HOUR))
    timeline = built_in("24x7").excusing([window]).timeline
    amount = to_micros(BEGINS) - to_micros(START)
    assert timeline.add(to_micros(START), amount) == window.start
    assert timeline.add(to_micros(START), amount + 1) == window.end + 1
    assert [timeline.is_working(at) for at in (window.start - 1, window.start, window.end - 1, window.end)] == [True, False, False, True]


def test_a_night_is_no_working_time_where_a_window_lies_on_another_day() -> None:
    night, window = START.replace(hour=23), Stretch(to_micros(BEGINS + 24 * HOUR), to_micros(BEGINS + 25 * HOUR))
    timeline = built_in("mon-fri").excusing([window]).timeline
    assert [timeline.is_working(to_micros(at)) for at in (night, BEGINS)] == [False, True]


def test_working_days_that_windows_take_away_for_more_than_ten_years_never_come() -> None:
    window = Stretch(to_micros(START), to_micros(START.replace(year=START.year + 15)))
    timeline = built_in("24x7").excusing([window]).timeline
    with pytest.raises(Fault) as found:
        timeline.working_day(window.start, START.toordinal(), 1)
    assert found.value.rule == "never_open"
