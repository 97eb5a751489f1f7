"""How a clock and the events of its ledger are stored: their columns, and as JSON what does not need one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from common.kernel.clock_json import write_target
from common.kernel.clock_shares import used_share
from common.kernel.clock_state import ENDED, ClockState
from common.kernel.targets import read_target
from common.sla.clock import Clock, Published, TimerMark
from common.sla.ledger import LEDGER_KINDS, LEDGER_NAMES, LedgerEvent


@dataclass(frozen=True, slots=True)
class Kept:
    """What the next fold goes on from: what a clock's row keeps beside its columns."""

    published: Published
    as_of: datetime
    timer: TimerMark
    replay_of: str


KEPT = TypeAdapter(Kept)
_FIELDS = {
    kind: [
        (one.name, {} if one.default_factory is dict else one.default) for one in fields(kind) if one.name not in ("id", "at", "sequence")
    ]
    for kind in LEDGER_NAMES
}


def said(event: LedgerEvent) -> dict[str, Any]:
    """What an event says beside its columns; what it leaves open is left out."""
    found = {name: value for name, default in _FIELDS[type(event)] if (value := getattr(event, name)) != default}
    return {**found, "target": write_target(found["target"])} if "target" in found else found


def event_of(row: Any) -> LedgerEvent:
    """The event of a row with its columns and its `data`."""
    data = row.data
    if "target" in data:
        data = {**data, "target": read_target(data["target"], ("target",))}
    return LEDGER_KINDS[row.type](id=row.event_id, at=row.at, sequence=row.sequence, **data)


def columns_of(changed: Sequence[Clock]) -> dict[str, Any]:
    """The columns of clocks, each as the list of their values."""
    states = [clock.state for clock in changed]
    now = [clock.folded.terms[-1] for clock in changed]
    return {
        "ids": [clock.id for clock in changed],
        "aggregates": [clock.aggregate for clock in changed],
        "stages": [clock.stage for clock in changed],
        "rounds": [len(state.rounds) for state in states],
        "states": [state.state for state in states],
        "outcomes": [state.outcome for state in states],
        "deadlines": [state.deadline for state in states],
        "closed": [state.closed_at for state in states],
        "ended": [clock.ended_at for clock in changed],
        "begun": [min(event.at for event in clock.events) for clock in changed],
        "owners": [state.owner for state in states],
        "charged": [_charged(clock, len(state.rounds)) for clock, state in zip(changed, states, strict=True)],
        "traits": [to_json(terms.traits).decode() for terms in now],
        "policies": [terms.policy for terms in now],
        "provisional": [state.is_provisional for state in states],
        "used_shares": [_share(state) for state in states],
        "unexcused": [_unexcused(clock, len(state.rounds)) for clock, state in zip(changed, states, strict=True)],
        "kept": [KEPT.dump_json(Kept(clock.published, clock.as_of, clock.timer, clock.replay_of)).decode() for clock in changed],
    }


def earlier_rounds_of(changed: Sequence[Clock]) -> dict[str, Any]:
    """The columns of the rounds that ended when clocks were restarted, each as the list of their values."""
    rounds = [(clock, number, state) for clock in changed for number, state in enumerate(clock.state.rounds)]
    terms = [clock.folded.terms_at(state.closed_at or state.as_of) for clock, _, state in rounds]
    return {
        "ids": [clock.id for clock, _, _ in rounds],
        "rounds": [number for _, number, _ in rounds],
        "stages": [clock.stage for clock, _, _ in rounds],
        "outcomes": [state.outcome for _, _, state in rounds],
        "closed": [state.closed_at for _, _, state in rounds],
        "charged": [_charged(clock, number) for clock, number, _ in rounds],
        "traits": [to_json(one.traits).decode() for one in terms],
        "policies": [one.policy for one in terms],
        "used_shares": [_share(state) for _, _, state in rounds],
        "unexcused": [_unexcused(clock, number) for clock, number, _ in rounds],
    }


def _charged(clock: Clock, number: int) -> str:
    """Whoever a fact about the round credits; one that feeds no indicator is charged to whose time it was at last."""
    return clock.published.rounds[number].subject or clock.rounds[number].owner


def _unexcused(clock: Clock, number: int) -> str:
    return clock.folded.unexcused[number] if clock.folded.unexcused else clock.rounds[number].outcome


def _share(state: ClockState) -> Decimal | None:
    """How much of the target was used; all of it where a broken promise still runs, however long ago somebody last looked."""
    is_late = state.breached_at is not None and state.state not in ENDED
    share = used_share(state)
    share = min(share, Fraction(1)) if share is not None and is_late else share
    return None if share is None else Decimal(repr(round(float(share), 6)))
