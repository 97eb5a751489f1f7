"""The calendar months of promises: what was published of each stage's months, and what is to be published now (ADR 0031).

Whoever saves a clock notes the days on which it begins and ends. What was noted makes the months of these days stale, and a month that
is over is counted when it is stale, when it has just ended or when there are new rules.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.envelope import value_of
from common.contracts.event import Envelope
from common.contracts.sla_months import SlaMonthClosed, SlaMonthCorrected
from common.contracts.topics import source_of, topic_of
from common.kernel.exact import ratio_text
from common.kernel.ids import derived_id
from common.sla.months import Counts, Month, MonthOfStage, Span, budget_of, month_of, months_between, policy_of, span_of
from common.sla.rulebook import Rulebook
from common.store import clock_outcomes, clocks, outbox, positions, timers
from common.store.outbox import Outgoing

# Nothing is counted while records of a replayed history come in, nor past a deadline that has not been decided yet.
_UP_TO = text(f"""
SELECT least(CAST(:caught_up AS timestamptz), statement_timestamp(),
             ({timers.FIRST_DUE})) AS at
WHERE NOT {positions.REPLAYED_LATELY}
""")
# A service that is idle asks this and nothing else.
_ANYTHING = text(f"""
SELECT {clocks.ANY_DAY_CHANGED}
    OR EXISTS (SELECT FROM sla_months WHERE month <= :last AND (stale OR rules <> :rules))
    OR EXISTS (SELECT FROM sla_months GROUP BY stage HAVING max(month) < :last)
""")  # noqa: S608 - the part that is put in is a constant of ours
_LOCK = text("LOCK TABLE sla_months IN SHARE ROW EXCLUSIVE MODE")
_MARK = text("""
INSERT INTO sla_months (stage, month, stale)
SELECT s, m, true FROM unnest(CAST(:stages AS text[]), CAST(:months AS text[])) AS x (s, m)
ON CONFLICT (stage, month) DO UPDATE SET stale = true WHERE NOT sla_months.stale
""")
_KNOWN = text("SELECT stage, array_agg(month ORDER BY month) AS months FROM sla_months GROUP BY stage")
_DUE = text("""
SELECT stage, month, revision, event_id, published FROM sla_months
WHERE month <= :last AND (stale OR rules <> :rules) ORDER BY month, stage
""")
_SAVE = text("""
UPDATE sla_months SET stale = false, rules = :rules, revision = r, event_id = e, published = CAST(p AS jsonb)
FROM unnest(CAST(:stages AS text[]), CAST(:months AS text[]), CAST(:revisions AS int[]), CAST(:ids AS text[]), CAST(:published AS text[]))
     AS x (s, m, r, e, p)
WHERE stage = s AND month = m
""")
_NOW = text("SELECT clock_timestamp()")


async def publish(connection: AsyncConnection, service: str, rulebook: Rulebook, caught_up: datetime, replay_idle: timedelta) -> int:
    """Publishes each month that is over and was not published, or not as it is; returns how many events that are.

    `caught_up`: up to when the service has seen everything. Two that do it at once follow each other.
    """
    up_to = (await connection.execute(_UP_TO, {"caught_up": caught_up, "replay_idle": replay_idle})).scalar_one_or_none()
    if up_to is None:
        return 0
    last = month_of(rulebook, up_to).plus(-1)
    if not (await connection.execute(_ANYTHING, {"last": str(last), "rules": rulebook.revision})).scalar_one():
        return 0
    await connection.execute(_LOCK)
    days = [(stage, month) for stage, day in await clocks.take_changed_days(connection) for month in _months_of(rulebook, day)]
    await _mark(connection, days)
    known = list(await connection.execute(_KNOWN))
    await _mark(connection, [(row.stage, month) for row in known for month in _missing(rulebook, row, last)])
    due = list(await connection.execute(_DUE, {"last": str(last), "rules": rulebook.revision}))
    if not due:
        return 0
    spans = {row.month: span_of(rulebook, Month.read(row.month)) for row in due}
    counts = await clock_outcomes.counts_in(connection, [(row.stage, spans[row.month]) for row in due])
    now: datetime = (await connection.execute(_NOW)).scalar_one()
    events = [_event(service, rulebook, row, spans[row.month], counts[row.stage, spans[row.month].begin]) for row in due]
    await _save(connection, rulebook.revision, due, events)
    outgoing = [_outgoing(event, id, service, now) for event, id in events if event is not None]
    await outbox.insert(connection, outgoing)
    return len(outgoing)


async def month_of_stages(connection: AsyncConnection, rulebook: Rulebook, month: Month) -> list[MonthOfStage]:
    """How the promises of each stage that the service has were kept in a month, as it is known now."""
    policy, span = policy_of(rulebook, month), span_of(rulebook, month)
    counts = await clock_outcomes.counts_in(connection, [(stage, span) for stage in rulebook.stages])
    objectives = {} if policy is None else policy.objectives
    return [MonthOfStage(stage, counts[stage, span.begin], objectives.get(stage)) for stage in rulebook.stages]


async def month_so_far(connection: AsyncConnection, rulebook: Rulebook) -> list[MonthOfStage]:
    """`month_of_stages` of the month that runs by the database's clock."""
    now: datetime = (await connection.execute(_NOW)).scalar_one()
    return await month_of_stages(connection, rulebook, month_of(rulebook, now))


def _months_of(rulebook: Rulebook, day: date) -> Sequence[Month]:
    """The months that a day, as UTC counts it, has a part in."""
    begin = datetime.combine(day, time(), UTC)
    return months_between(rulebook, begin, begin + timedelta(days=1) - timedelta.resolution)


def _missing(rulebook: Rulebook, row: Any, last: Month) -> Iterator[Month]:
    """The months of a stage up to `last` that are not known: one in which no clock began or ended may have an objective.

    They begin with the first known one, or with the first objective: one clock of long ago brings no hundred months without a word.
    """
    since = next((one.effective_at for one in rulebook.policies if row.stage in one.policy.objectives), None)
    if since is None:
        return
    month, there = max(Month.read(row.months[0]), month_of(rulebook, since).plus(-1)), frozenset(row.months)
    while month < last:
        month = month.next
        if str(month) not in there:
            yield month


async def _mark(connection: AsyncConnection, months: Sequence[tuple[str, Month]]) -> None:
    wanted = sorted({(stage, str(month)) for stage, month in months})
    if wanted:
        await connection.execute(_MARK, {"stages": [stage for stage, _ in wanted], "months": [month for _, month in wanted]})


Said = SlaMonthClosed | SlaMonthCorrected


def _event(service: str, rulebook: Rulebook, row: Any, span: Span, counts: Counts) -> tuple[Said | None, str]:
    """What is to be published of a month, and the id of what was published of it last.

    None where it was published so, and where there is nothing to say: no objective was set, and no promise was kept or broken.
    """
    policy = policy_of(rulebook, Month.read(row.month))
    objective = None if policy is None else policy.objectives.get(row.stage)
    budget = budget_of(counts, objective)
    event: Said = SlaMonthClosed(
        month_key=f"{service}:{row.stage}:{row.month}",
        service=service,
        stage=row.stage,
        month=row.month,
        begins_at=span.begin,
        ends_at=span.end,
        met=counts.met,
        breached=counts.breached,
        policy="" if policy is None else policy.ref,
        objective=None if objective is None else ratio_text(objective),
        allowed=None if budget is None else budget.allowed,
        remaining=None if budget is None else budget.remaining,
        revision=row.revision + 1,
    )
    content = _content(event)
    if content == row.published or (row.published is None and objective is None and not counts.closed):
        return None, row.event_id
    if row.revision:
        event = SlaMonthCorrected(**dict(event), supersedes=row.event_id)
    # from what was said before too: the same id has the same content, and whoever knows it knows all that led to it
    said = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return event, derived_id(span.end, service, event.TYPE, event.month_key, row.event_id, said)


def _content(event: Said) -> dict[str, Any]:
    """What of an event has to be said anew when it changes."""
    return event.model_dump(mode="json", exclude={"revision", "supersedes"})


async def _save(connection: AsyncConnection, rules: int, due: Sequence[Any], events: Sequence[tuple[Said | None, str]]) -> None:
    values = {
        "rules": rules,
        "stages": [row.stage for row in due],
        "months": [row.month for row in due],
        "revisions": [row.revision + (event is not None) for row, (event, _) in zip(due, events, strict=True)],
        "ids": [id for _, id in events],
        "published": [json.dumps(row.published if event is None else _content(event)) for row, (event, _) in zip(due, events, strict=True)],
    }
    await connection.execute(_SAVE, values)


def _outgoing(event: Said, id: str, service: str, now: datetime) -> Outgoing:
    topic = topic_of(type(event))
    key = topic.key_of(event)
    envelope = Envelope(id=id, source=source_of(service), type=event.TYPE, subject=key, time=event.ends_at, recorded_at=now)
    return Outgoing.of(value_of(event), envelope, topic=topic.name, key=key)
