"""How a clock and the events of its ledger are stored: their columns, and as JSON what does not need one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from common.kernel.clock_json import write_target
from common.kernel.clock_shares import used_share
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
    shares = [used_share(state) for state in states]
    return {
        "ids": [clock.id for clock in changed],
        "aggregates": [clock.aggregate for clock in changed],
        "stages": [clock.stage for clock in changed],
        "states": [state.state for state in states],
        "outcomes": [state.outcome for state in states],
        "deadlines": [state.deadline for state in states],
        "closed": [clock.closed_at() for clock in changed],
        "begun": [min(event.at for event in clock.events) for clock in changed],
        "owners": [state.owner for state in states],
        "traits": [to_json(terms.traits).decode() for terms in now],
        "policies": [terms.policy for terms in now],
        "provisional": [state.is_provisional for state in states],
        "used_shares": [None if share is None else Decimal(repr(round(float(share), 6))) for share in shares],
        "unexcused": [clock.folded.unexcused or clock.state.outcome for clock in changed],
        "kept": [KEPT.dump_json(Kept(clock.published, clock.as_of, clock.timer, clock.replay_of)).decode() for clock in changed],
    }
