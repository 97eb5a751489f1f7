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
_CALENDARS = text("SELECT name, version, published_at AS since, document, event_id, false AS applies_to_open FROM calendars")
_POLICIES = text("SELECT '' AS name, version, effective_at AS since, document, event_id, applies_to_open FROM policies")
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


def as_rule(published: Published) -> CalendarVersion | PolicyVersion:
    """What a published rule says."""
    if published.name:
        calendar = Calendar.from_json(published.document)
        return CalendarVersion(published.name, published.version, calendar, published.since, published.event_id)
    return PolicyVersion(parse_policy(published.document), published.since, published.applies_to_open, published.event_id)


class RuleBook:
    """The rules of a service as one process knows them."""

    def __init__(self, shipped: Policy) -> None:
        self._shipped = shipped
        self._rules = Rules.of(shipped)

    async def rules_now(self, connection: AsyncConnection) -> Rules:
        """The rules that the transaction sees; read anew only where some were published since the last time."""
        revision = (await connection.execute(_REVISION)).scalar_one()
        if revision != self._rules.revision:
            rules = Rules.of(self._shipped)
            for query in (_CALENDARS, _POLICIES):
                for row in await connection.execute(query):
                    document = json.loads(row.document) if isinstance(row.document, str) else row.document
                    published = Published(row.name, row.version, row.since, document, row.event_id, row.applies_to_open)
                    rules = rules.with_one(as_rule(published))
            self._rules = rules
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
