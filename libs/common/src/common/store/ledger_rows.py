"""How an event of a clock's ledger is stored: its columns, and as JSON what it says beside them."""

from dataclasses import fields
from typing import Any

from common.kernel.clock_json import write_target
from common.kernel.targets import read_target
from common.sla.ledger import LEDGER_KINDS, LEDGER_NAMES, LedgerEvent

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
