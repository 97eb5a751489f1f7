"""`aftersales clock explain CLOCK`: how a clock came to its deadline and its outcome, for the person who is charged with it.

Read from the service's own database and folded by the service's own code.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from common.contracts.topics import SERVICES
from common.kernel.clock_events import Changed, Excused, Extended, Restarted
from common.kernel.clock_json import seconds, write_state, write_target
from common.kernel.clock_shares import used_share
from common.kernel.exact import ratio_text
from common.kernel.instants import to_micros
from common.kernel.sla_clock import ClockState, Segment
from common.kernel.working_time import Calendar
from common.kernel.zones import ZoneInfo
from common.sla.clock import Clock
from common.sla.clock_book import ClockBook
from common.sla.ledger import LEDGER_NAMES, Folded, LedgerEvent, RuleUsed, Terms, fold_ledger, refused_by_policy
from common.store import clocks, documents, outbox, timers
from ops.clock_questions import Questions, explained_days, range_step
from ops.clock_reasons import hours, patterns_of, reasons
from ops.connection import database as open_database
from ops.connection import database_address
from ops.terminal import DatabaseOption, JsonOption, answered, console, show, stop

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    clock: Annotated[str, typer.Argument(metavar="CLOCK", help="<service>:<aggregate id>:<stage>, as the topic sla-clocks names it.")],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a clock came to its deadline and its outcome: policy, calendar, what was counted, who held it, what was published when."""
    service = clock.partition(":")[0]
    if service not in SERVICES or clock.count(":") < 2:
        stop(f"{clock!r} names no clock: one is called <service>:<aggregate id>:<stage>, such as complaints:C1:acknowledged.", 2)
    url = database_address(database)
    found = answered(lambda: _explained(url, service, clock), database_url=url)
    if found is None:
        stop(f"{service} has no clock {clock!r}.")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _print(found)


async def _explained(url: str, service: str, id: str) -> dict[str, Any] | None:
    async with open_database(url, service) as connection:
        row = await clocks.find(connection, id)
        if row is None:
            return None
        aggregate, stage, now = row
        facts, timer = await outbox.about(connection, "sla-clocks", id), await timers.of_clock(connection, id)
        book = ClockBook(service, await documents.rulebook_of(connection, service))
        await clocks.load(connection, book, [aggregate])
    clock = book.clocks[aggregate][stage]
    # a replayed clock lives in its own time: what has passed since on the wall is not charged to anybody
    as_of = clock.as_of if clock.replay_of else max(clock.as_of, now)
    account = _account(clock, fold_ledger(book.rulebook, clock.ledger, as_of), facts, timer)
    zh, en = reasons(account)
    return {"clock": clock.id, "reason_zh": zh, "reason_en": en, **account}


def _account(clock: Clock, folded: Folded, facts: Sequence[Mapping[str, Any]], timer: Mapping[str, Any] | None) -> dict[str, Any]:
    state = folded.state
    share, now = used_share(state), folded.terms[-1]
    using = next(used for used in folded.calendars.values() if used.calendar == state.calendar.excusing(()))
    return {
        "clock": clock.id,
        "policy": now.policy,
        "traits": dict(now.traits),
        "calendar": using.ref,
        "time_zone": state.calendar.time_zone,
        "target": write_target(state.target),
        "as_of": state.as_of.astimezone(state.calendar.zone).isoformat(timespec="seconds"),
        "started_at": state.started_at.isoformat(),
        "owner": state.owner,
        **write_state(state),
        "due_at": None if state.due_at is None else state.due_at.isoformat(),
        "provisional": state.is_provisional,
        "used_share": None if share is None else ratio_text(share),
        "replay_of": clock.replay_of,
        "promised": [_promised(terms, state.calendar.zone) for terms in folded.terms],
        "segments": [_segment(segment) for segment in state.segments],
        "excused": [_excused(window, state) for window in folded.windows],
        "days": _days(state),
        **explained_days(state.calendar, to_micros(state.started_at), state.target),
        "ahead": _ranges(state.calendar, to_micros(state.as_of), to_micros(state.due_at)) if _runs_on(folded) and state.due_at else [],
        "ledger": [
            _event(event, folded, clock.events) for event in sorted(clock.events, key=lambda event: (event.at, event.sequence or 0))
        ],
        "published": [_fact(row, state.calendar.zone) for row in facts],
        "published_outcome": clock.told.outcome,
        "timer": None if timer is None else {**dict(timer), "due_at": _timer_text(timer)},
    }


def _place(event: LedgerEvent) -> tuple[datetime, int]:
    return event.at, event.sequence or 0


def _runs_on(folded: Folded) -> bool:
    """Whether time that comes brings the clock nearer to its target."""
    state = folded.state
    return state.state == "running" and state.outcome == "open" and state.fixed is None


def _promised(terms: Terms, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "from": terms.effective_at.astimezone(zone).isoformat(),
        "policy": terms.policy,
        "traits": dict(terms.traits),
        "target": write_target(terms.promise.target),
        "calendar": terms.promise.calendar,
    }


def _excused(window: Excused, state: ClockState) -> dict[str, str]:
    zone = state.calendar.zone
    since, until = (at.astimezone(zone).isoformat(sep=" ", timespec="minutes")[:16] for at in (window.since, window.until))
    return {"document": window.id, "from": since, "to": until, "reason": window.reason}


def _segment(segment: Segment) -> dict[str, Any]:
    instant = segment.calendar.instant
    return {
        "from": instant(segment.start).isoformat(),
        "to": instant(segment.end).isoformat(),
        "state": segment.state,
        "owner" if segment.state == "running" else "party": segment.who,
        "reason": segment.reason,
        "working_seconds": seconds(segment.micros),
        "ranges": _ranges(segment.calendar, segment.start, segment.end),
    }


def _ranges(calendar: Calendar, start: int, end: int) -> list[dict[str, Any]]:
    return [range_step(calendar, stretch) for stretch in calendar.timeline.stretches(start, end)] if end > start else []


def _days(state: ClockState) -> list[dict[str, Any]]:
    """The working days that lead to a fixed instant, as `clock calculate` counts them; none for a target that is consumed."""
    if state.fixed is None:
        return []
    question = {"calendar": "its own", "start": state.started_at.isoformat(), "target": write_target(state.target), "explain": True}
    steps: list[dict[str, Any]] = Questions({"its own": state.calendar}).answer(question)["steps"]
    return steps


def _event(event: Any, folded: Folded, ledger: Sequence[LedgerEvent]) -> dict[str, Any]:
    names = ("owner", "party", "reason", "by", "calendar", "rule", "traits")
    more = {name: found for name in names if (found := getattr(event, name, None))}
    if (target := getattr(event, "target", None)) is not None:
        more["target"] = write_target(target)
    if isinstance(event, Changed):
        counts = event.id in {terms.id for terms in folded.terms}
    else:
        refused = refused_by_policy(ledger, folded.terms) if isinstance(event, Extended | Restarted) else {}
        counts = isinstance(event, RuleUsed) or (event.id not in folded.state.ignored and event.id not in refused)
    return {
        "at": event.at.astimezone(folded.state.calendar.zone).isoformat(),
        "type": LEDGER_NAMES[type(event)],
        **more,
        "counts": counts,
        "id": event.id,
    }


def _fact(row: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    body = json.loads(row["payload"])
    decided, published = row["decided_at"].astimezone(zone), row["published_at"]
    return {
        "at": datetime.fromisoformat(body["at"]).astimezone(zone).isoformat(),
        "type": row["type"],
        "deadline": body.get("deadline"),
        "owner": body.get("owner"),
        "why": body.get("why"),
        "decided_at": decided.isoformat(timespec="milliseconds"),
        "published_at": None if published is None else published.astimezone(zone).isoformat(timespec="milliseconds"),
        "id": row["event_id"],
    }


def _timer_text(timer: Mapping[str, Any]) -> str | None:
    return timer["due_at"].isoformat() if timer["state"] == "armed" else None


def _print(found: Mapping[str, Any]) -> None:
    """The account as tables, the summary first."""
    deadline = found["deadline"] or found["due_at"] or ("none" if found["outcome"] in ("void", "none") else "none while it stands still")
    if found["provisional"]:
        deadline += " (provisional: the calendar is not known that far)"
    share = found["used_share"]
    outcomes = [fact for fact in found["published"] if fact["type"].partition(".")[2] in ("met", "breached", "voided", "corrected")]
    console().print(f"{found['reason_zh']}\n{found['reason_en']}", soft_wrap=True, markup=False, highlight=False)
    summary = {
        "promise": f"{found['policy']}: {json.dumps(found['target'])} on {found['calendar']} ({found['time_zone']})",
        "started": found["started_at"],
        "deadline": deadline,
        "outcome": f"{found['outcome']}; {found['state']} as of {found['as_of']}",
        "published": ", ".join(f"{fact['type']} at {fact['decided_at']}" for fact in outcomes)
        or f"nothing but {found['published_outcome']} yet",
        "used": f"{hours(found['elapsed_working_seconds'])} of working time" + (f", {share} of the target" if share else ""),
        "held by": _by(found["working_seconds_by_owner"]),
        "waited for": _by(found["paused_working_seconds_by_party"]),
    }
    show(found["clock"], [{"": name, " ": text} for name, text in summary.items()], ("", " "), as_json=False)
    if len(found["promised"]) > 1:
        show("Promised", _changes(found["promised"]), ("from", "policy", "traits", "target", "calendar"), as_json=False)
    segments = [{**segment, "who": segment.get("owner") or segment.get("party")} for segment in found["segments"]]
    show("Segments", segments, ("from", "to", "state", "who", "reason", "working_seconds"), as_json=False)
    counted = [{**part, "counted": segment["state"]} for segment in found["segments"] for part in segment["ranges"]]
    counted += [{**part, "counted": "still to come"} for part in found["ahead"]]
    pattern = [name for name in ("season", "alternating") if name in dict(patterns_of(found))]
    show("What was counted", _flat(counted), ("from", "to", "working_seconds", "counted", *pattern), as_json=False)
    if found["excused"]:
        show("Excused windows, in which no time counts", found["excused"], ("document", "from", "to", "reason"), as_json=False)
    if found["days"]:
        show("The days to the deadline", _flat(found["days"]), ("date", "from", "to", "working_seconds", *pattern), as_json=False)
    show("Ledger", found["ledger"], ("at", "type", "owner", "party", "reason", "by", "calendar", "rule", "counts", "id"), as_json=False)
    show("Published", found["published"], ("at", "type", "deadline", "owner", "why", "decided_at", "published_at"), as_json=False)
    if not found["published"]:
        console().print("What was published longer ago than the outbox is kept stands on the topic sla-clocks only.")


def _changes(promised: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each promise with its target as JSON, and of the traits those that were not so before."""
    rows = []
    for before, one in zip([{"traits": {}}, *promised], promised, strict=False):
        new = [f"{name} {value}" for name, value in sorted(one["traits"].items()) if before["traits"].get(name) != value]
        rows.append({**one, "traits": ", ".join(new), "target": json.dumps(one["target"])})
    return rows


def _flat(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps with their patterns as text: a season from its first to its last day, an alternating weekday by its anchor."""
    return [{**step, **{name: " – ".join(step[name].values()) for name in ("season", "alternating") if name in step}} for step in steps]


def _by(shares: Mapping[str, int | str]) -> str:
    return ", ".join(f"{who or 'nobody'} {hours(amount)}" for who, amount in shares.items()) or "nobody"
