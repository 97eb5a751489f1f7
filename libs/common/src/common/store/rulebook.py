"""The published rules in the database: append-only, read again by each replica as soon as there are more of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.kernel.working_time import Calendar
from common.sla.policy import Policy, parse_policy
from common.sla.rulebook import EVER, CalendarVersion, PolicyVersion, Rulebook

log = structlog.get_logger(__name__)

# One writer at a time: a rule's number says after how many others it became known, and a clock's `revision` how many it knows.
_LOCK = text("LOCK TABLE rules IN SHARE ROW EXCLUSIVE MODE")
_REVISION = text("SELECT count(*) FROM rules")
_READ = text("SELECT name, version, effective_at, applies_to_open, document, event_id FROM rules ORDER BY number")
_ADD = text("""
INSERT INTO rules (name, version, number, effective_at, applies_to_open, document, event_id)
SELECT :name, :version, count(*) + 1, :effective_at, :applies_to_open, CAST(:document AS jsonb), :event_id FROM rules
ON CONFLICT (name, version) DO NOTHING
""")
_NEWEST_POLICY = text("SELECT coalesce(max(version), 0) AS version, statement_timestamp() AS now FROM rules WHERE name = ''")
UNKNOWN_SINCE = """
    SELECT known, min(effective_at) AS effective_at
    FROM generate_series(0, :revision - 1) AS known JOIN rules ON number > known GROUP BY known
"""
"""SQL for another table's statement: for each number of rules that one may know, from when on the rest of `:revision` holds."""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One version of a calendar or a policy as it arrived: a calendar has a name, a policy has none, since it is the service's own."""

    name: str
    version: int
    effective_at: datetime
    document: dict[str, Any]
    event_id: str
    applies_to_open: bool = False


def parsed(published: RuleVersion) -> CalendarVersion | PolicyVersion:
    """The calendar or the policy that a version holds."""
    if published.name:
        calendar = Calendar.from_json(published.document)
        return CalendarVersion(published.name, published.version, calendar, published.effective_at, published.event_id)
    return PolicyVersion(parse_policy(published.document), published.effective_at, published.applies_to_open, published.event_id)


class RulebookCache:
    """The rulebook of a service as one process knows it. `shipped` is the policy of its package.

    The first process that knows a shipped policy keeps it like a published one, so that clocks are always found under the
    policy on which they began: the first of all holds for ever, one of a later release from then on, an outdated one never.
    """

    def __init__(self, shipped: Policy) -> None:
        self._shipped = shipped
        self._rulebook: Rulebook | None = None

    async def now(self, connection: AsyncConnection) -> Rulebook:
        """The rulebook that the transaction sees; read anew only where versions were published since the last time."""
        revision = (await connection.execute(_REVISION)).scalar_one()
        if self._rulebook is None or revision != self._rulebook.revision:
            await _ship(connection, self._shipped)
            self._rulebook = await read(connection)
        return self._rulebook


async def read(connection: AsyncConnection) -> Rulebook:
    """All rules that were ever published to the service, or shipped with it."""
    rows = await connection.execute(_READ)
    return Rulebook.of(_rule(RuleVersion(**row)) for row in rows.mappings())


def _rule(stored: RuleVersion) -> CalendarVersion | PolicyVersion:
    """The rule, or one in its place that nothing can be counted by: what needs it is parked, and no clock runs under another by mistake."""
    try:
        return parsed(stored)
    except Exception as error:  # whatever the row holds: one document must not stop what does not need it
        log.error("rule_unreadable", name=stored.name or "policy", version=stored.version, exc_info=error)
    if stored.name:
        return CalendarVersion(stored.name, stored.version, None, stored.effective_at, stored.event_id)
    return PolicyVersion(Policy(f"unreadable@{stored.version}", ()), stored.effective_at, stored.applies_to_open, stored.event_id)


async def save(connection: AsyncConnection, published: Sequence[RuleVersion]) -> None:
    """Adds rules; one that is there already changes nothing."""
    if not published:
        return
    await connection.execute(_LOCK)
    for rule in published:
        document = json.dumps(rule.document, ensure_ascii=False)
        await connection.execute(_ADD, {**{field.name: getattr(rule, field.name) for field in fields(rule)}, "document": document})


async def _ship(connection: AsyncConnection, policy: Policy) -> None:
    newest = (await connection.execute(_NEWEST_POLICY)).one()
    if policy.version > newest.version:
        effective_at = newest.now if newest.version else EVER
        await save(connection, [RuleVersion("", policy.version, effective_at, dict(policy.document), f"shipped:{policy.ref}")])
