"""Wake-ups in memory: one for each reason, for one instant at a time; what has fired for an instant does not fire for it again."""

from datetime import UTC, datetime, timedelta, timezone

from common.kernel.wake_ups import WakeUp, WakeUps

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
ONE, OTHER = "complaints:C1", "complaints:C2"


def due(wake_ups: WakeUps, *aggregates: str, before: datetime = LATER + timedelta(days=1)) -> list[tuple[str, str, datetime]]:
    """Everything that fires before an instant, in its order."""
    found = []
    while (one := wake_ups.next_before(aggregates or (ONE, OTHER), before)) is not None:
        wake_ups.fire(one)
        found.append((one.aggregate, one.reason, one.due_at))
    return found


def test_wake_ups_fire_in_the_order_of_their_instants_and_only_before_the_instant_that_is_asked_for() -> None:
    wake_ups = WakeUps()
    wake_ups.arm(ONE, "close", LATER)
    wake_ups.arm(OTHER, "remind", NOON)
    wake_ups.arm(ONE, "remind", NOON)
    assert due(wake_ups, before=NOON) == []
    assert due(wake_ups, OTHER) == [(OTHER, "remind", NOON)]
    assert due(wake_ups) == [(ONE, "remind", NOON), (ONE, "close", LATER)]
    assert due(wake_ups) == []


def test_a_wake_up_that_is_set_anew_moves_and_what_was_set_before_is_older() -> None:
    wake_ups = WakeUps()
    wake_ups.arm(ONE, "close", NOON)
    wake_ups.arm(ONE, "close", LATER)
    assert wake_ups.known[ONE, "close"].version == 2
    assert due(wake_ups) == [(ONE, "close", LATER)]


def test_a_wake_up_that_is_taken_back_never_fires_until_it_is_set_again() -> None:
    wake_ups = WakeUps()
    wake_ups.arm(ONE, "close", NOON)
    wake_ups.cancel(ONE, "close")
    assert due(wake_ups) == []
    wake_ups.arm(ONE, "close", NOON)
    assert wake_ups.known[ONE, "close"].version == 3
    assert due(wake_ups) == [(ONE, "close", NOON)]


def test_what_is_set_twice_for_an_instant_is_set_once_and_what_has_fired_for_it_does_not_fire_again() -> None:
    wake_ups = WakeUps()
    wake_ups.arm(ONE, "close", NOON)
    wake_ups.arm(ONE, "close", NOON.astimezone(timezone(timedelta(hours=8))), "replay-1")
    assert wake_ups.known[ONE, "close"] == WakeUp(ONE, "close", NOON)
    assert due(wake_ups) == [(ONE, "close", NOON)]
    wake_ups.arm(ONE, "close", NOON)
    wake_ups.cancel(ONE, "close")
    assert due(wake_ups) == []
    wake_ups.arm(ONE, "close", LATER)
    assert due(wake_ups) == [(ONE, "close", LATER)]


def test_a_wake_up_belongs_to_the_history_that_set_it_last() -> None:
    wake_ups = WakeUps()
    wake_ups.arm(ONE, "close", NOON, "replay-1")
    assert wake_ups.known[ONE, "close"] == WakeUp(ONE, "close", NOON, replay_of="replay-1")
    wake_ups.arm(ONE, "close", LATER)
    assert wake_ups.known[ONE, "close"] == WakeUp(ONE, "close", LATER, version=2)
    assert wake_ups.known[ONE, "close"].id == "wake:close:complaints:C1"


def test_a_scratch_that_is_thrown_away_has_changed_nothing() -> None:
    wake_ups = WakeUps()
    wake_ups.load([WakeUp(ONE, "close", NOON)])
    wake_ups.cancel(ONE, "remind")  # none is set
    scratch = wake_ups.scratch()
    scratch.arm(ONE, "close", LATER)
    scratch.arm(OTHER, "close", NOON)
    assert (wake_ups.changed, list(wake_ups.known)) == (set(), [(ONE, "close")])
    wake_ups.merge(scratch)
    assert wake_ups.changed == {(ONE, "close"), (OTHER, "close")}
    assert wake_ups.known[ONE, "close"].due_at == LATER
