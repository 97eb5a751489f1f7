"""The published rules in the database: append-only, read again by each replica as soon as there are more of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kernel.working_time import Calendar
from common.runtime.policies import Policy, parse_policy
from common.runtime.rules import CalendarVersion, PolicyVersion, Rules

AT_ONCE = 500
"""So many aggregates take in new rules in one transaction."""

_REVISION = text("SELECT (SELECT count(*) FROM calendars) + (SELECT count(*) FROM policies)")
_CALENDARS = text("SELECT name, version, published_at, document, event_id FROM calendars")
_POLICIES = text("SELECT effective_at, applies_to_open, document, event_id FROM policies")
_ADD_CALENDAR = text("""
INSERT INTO calendars (name, version, published_at, document, event_id)
VALUES (:name, :version, :since, CAST(:document AS jsonb), :event_id) ON CONFLICT DO NOTHING
""")
_ADD_POLICY = text("""
INSERT INTO policies (version, effective_at, applies_to_open, document, event_id)
VALUES (:version, :since, :applies_to_open, CAST(:document AS jsonb), :event_id) ON CONFLICT DO NOTHING
""")
_STALE = text("""
SELECT aggregate FROM clocks c WHERE outcome = 'open' AND state <> 'stopped' AND rules < :revision
  AND NOT EXISTS (SELECT FROM parked_keys p WHERE p.aggregate = c.aggregate)
LIMIT :at_once
""")


@dataclass(frozen=True, slots=True)
class Published:
    """One rule as it arrived: a calendar has a name, a policy has none, since it is the service's own."""

    name: str
    version: int
    since: datetime
    document: dict[str, Any]
    event_id: str
    applies_to_open: bool = False


class RuleBook:
    """The rules of a service as one process knows them."""

    def __init__(self, shipped: Policy) -> None:
        self._shipped = shipped
        self._rules = Rules.of(shipped)

    async def rules_now(self, connection: AsyncConnection) -> Rules:
        """The rules that the transaction sees; read anew only where some were published since the last time."""
        revision = (await connection.execute(_REVISION)).scalar_one()
        if revision != self._rules.revision:
            calendars = [
                CalendarVersion(row.name, row.version, Calendar.from_json(_json(row.document)), row.published_at, row.event_id)
                for row in await connection.execute(_CALENDARS)
            ]
            policies = [
                PolicyVersion(parse_policy(_json(row.document)), row.effective_at, row.applies_to_open, row.event_id)
                for row in await connection.execute(_POLICIES)
            ]
            self._rules = Rules.of(self._shipped, calendars, policies)
        return self._rules


async def save(connection: AsyncConnection, published: Sequence[Published]) -> None:
    """Adds rules; one that is there already changes nothing."""
    for rule in published:
        values = {
            "version": rule.version,
            "since": rule.since,
            "document": json.dumps(rule.document, ensure_ascii=False),
            "event_id": rule.event_id,
        }
        if rule.name:
            await connection.execute(_ADD_CALENDAR, {**values, "name": rule.name})
        else:
            await connection.execute(_ADD_POLICY, {**values, "applies_to_open": rule.applies_to_open})


async def stale(connection: AsyncConnection, revision: int) -> list[str]:
    """Some aggregates, in order, with an open clock that was last folded under fewer rules than `revision`."""
    if not revision:
        return []
    rows = await connection.execute(_STALE, {"revision": revision, "at_once": AT_ONCE})
    return sorted({row.aggregate for row in rows})


def _json(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored
