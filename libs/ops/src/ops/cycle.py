"""`aftersales cycle`: where each appraisal cycle stands and for what it waits, and closing one."""

import asyncio
import json as json_text
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from common.contracts.claims.appraisal import CycleCloseRequested
from common.contracts.cycles import CycleClaimRejected, CycleClosed, CycleClosePlanned
from common.kafka.settings import KafkaSettings
from common.kernel.faults import Fault
from common.kernel.instants import instant_of
from common.kernel.wall_clock import now
from ops import contributed
from ops.connection import database as open_database
from ops.connection import database_address, kafka_settings
from ops.cycle_closes import TOPIC, Answer, LastClose, last_closes
from ops.cycle_waits import waits_of
from ops.document_records import record_of
from ops.publishing import publish
from ops.terminal import DatabaseOption, JsonOption, KafkaOption, answered, show, stop
from ops.topic_events import TopicEvents

app = typer.Typer(no_args_is_help=True, add_completion=False)

CycleArgument = Annotated[str, typer.Argument(metavar="CYCLE", help="Such as 2026Q3, 2026-07 or 2026.")]
Known = Mapping[str, Any]
"""A cycle as its service keeps it."""


@app.callback()
def cycle() -> None:
    """Appraisal cycles: which there are, what one that does not close waits for, and closing one."""


@app.command("list")
def list_cycles(kafka: KafkaOption = None, database: DatabaseOption = None, json: JsonOption = False) -> None:
    """Show every cycle that somebody has asked to close: its status, as of when, who was graded and who was not."""
    broker, url = kafka_settings(kafka, "cycle"), database_address(database)
    known, closes = answered(lambda: _look(broker, url), kafka=broker.bootstrap_servers, database_url=url)
    rows = [_line(one, closes.get(one["cycle_key"])) for one, _ in known]
    if rows or json:
        show("Cycles", rows, _COLUMNS, as_json=json)
    else:
        typer.echo("Nobody has asked to close a cycle yet: aftersales cycle close 2026Q3 --scheme department-360@1.")


_COLUMNS = ("cycle", "scheme", "status", "as_of", "graded", "not_graded", "unknown_subjects", "closed_as_of")


def _line(one: Known, close: LastClose | None) -> dict[str, Any]:
    told = {name: one[name] for name in ("cycle_key", "cycle", "scheme", "status", "as_of", "for_real", "closes_waiting", "planned_for")}
    return {
        **told,
        "graded": close and close.closed.graded,
        "not_graded": close and len(close.not_graded),
        "unknown_subjects": close and len(close.unknown_subjects),
        "closed_as_of": close and close.closed.as_of,
    }


@app.command()
def status(
    cycle: CycleArgument,
    scheme: Annotated[str, typer.Argument(metavar="SCHEME", help="Such as department-360@1.")],
    kafka: KafkaOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Say where a cycle stands: what it waits for, or who of the last close has no grade, and why.

    Exit 1 when nobody has asked to close it.
    """
    broker, url, key = kafka_settings(kafka, "cycle"), database_address(database), f"{cycle}|{scheme}"
    known, closes = answered(lambda: _look(broker, url), kafka=broker.bootstrap_servers, database_url=url)
    found = next(((one, waits) for one, waits in known if one["cycle_key"] == key), None)
    if found is None:
        there = ", ".join(one["cycle_key"] for one, _ in known)
        stop(f"Nobody has asked to close {cycle} under {scheme}{f'; there is {there}' if there else ''}.")
    (one, waits), close = found, closes.get(key)
    told = {**_line(one, close), "waits_for": waits, "not_graded": close.not_graded if close else {}}
    told["unknown_subjects"] = close.unknown_subjects if close else []
    if json:
        typer.echo(json_text.dumps(told, default=str, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(_in_words(told, close)))


def _in_words(told: Known, close: LastClose | None) -> list[str]:
    lines = [f"{told['cycle']} under {told['scheme']} is {told['status']}, as of {told['as_of']:%Y-%m-%d %H:%M:%S %Z}."]
    if told["waits_for"]:
        lines += ["It waits for:", *(f"  - {one}" for one in told["waits_for"])]
    if told["closes_waiting"]:
        lines.append(f"{told['closes_waiting']} more closes were asked for and follow one after another.")
    if told["planned_for"] is not None:
        lines.append(f"A close is planned and begins by itself at {told['planned_for']:%Y-%m-%d %H:%M:%S %Z}.")
    if close is None:
        return [*lines, "It has not been closed before."]
    lines.append(f"The last close, as of {close.closed.as_of:%Y-%m-%d %H:%M:%S %Z}, graded {close.closed.graded}.")
    by_reason: dict[str, list[str]] = {}
    for person, reason in sorted(close.not_graded.items()):
        by_reason.setdefault(reason, []).append(person)
    for reason, people in sorted(by_reason.items()):
        lines.append(f"  without a grade, {reason}: {', '.join(people)}")
    if close.unknown_subjects:
        lines.append(f"  facts are about somebody whom the organisation does not know: {', '.join(close.unknown_subjects)}")
    return lines


async def _look(kafka: KafkaSettings, url: str) -> tuple[list[tuple[Known, list[str]]], dict[str, LastClose]]:
    """Each cycle with what it waits for, and the last close of each."""
    found: list[tuple[Known, list[str]]] = []
    for service, cycles in contributed.functions(contributed.CYCLES).items():
        async with open_database(url, service) as connection:
            known = await cycles(connection)
            found += [(one, await waits_of(connection, one) if one["status"] == "closing" else []) for one in known]
    return found, await last_closes(kafka)


@app.command()
def close(
    cycle: CycleArgument,
    scheme: Annotated[str, typer.Option("--scheme", metavar="SCHEME", help="Such as department-360@1.")],
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="INSTANT", help="With what is known by then; now by default, later is a plan.")
    ] = None,
    for_real: Annotated[bool, typer.Option("--for-real", help="Outcomes of replayed or simulated history may be paid too.")] = False,
    by: Annotated[str | None, typer.Option("--by", metavar="EMPLOYEE", help="Who asks, by HR's number.")] = None,
    wait: Annotated[float, typer.Option("--wait", metavar="SECONDS", help="Wait for the answer so long.")] = 0,
    kafka: KafkaOption = None,
    json: JsonOption = False,
) -> None:
    """Ask for the close of a cycle: everybody is graded with what is known, and again with what has become known since.

    With --wait the answer is awaited: exit 0 when the cycle was closed or its close is planned, 1 when a rule refused it or nothing came
    in time.
    """
    claim, broker = _claim(cycle, scheme, as_of, by, for_real=for_real), kafka_settings(kafka, "cycle")
    answer = answered(lambda: _asked(broker, claim, wait), kafka=broker.bootstrap_servers)
    match answer:
        case CycleClosed():
            said, code = f"{claim.cycle_key} is closed: {answer.graded} graded, {answer.not_graded_count} not.", 0
        case CycleClosePlanned():
            said, code = f"{claim.cycle_key} will begin to close at {answer.as_of.isoformat(timespec='seconds')}.", 0
        case CycleClaimRejected():
            was = f" ({'' if answer.field in ('by', 'scheme') else 'the cycle is '}{answer.was})" if answer.was else ""
            said, code = f"{claim.cycle_key} was not closed: {answer.rule}, about {answer.field}{was}.", 1
        case None if wait:
            said, code = f"No answer within {wait:g} seconds: aftersales cycle status {cycle} {scheme} tells what it waits for.", 1
        case None:
            said, code = f"Asked to close {claim.cycle_key} as of {claim.as_of.isoformat(timespec='seconds')}.", 0
    if json:
        told = {"asked": claim.model_dump(mode="json"), "answer": answer and {"type": answer.TYPE, **answer.model_dump(mode="json")}}
        typer.echo(json_text.dumps(told, ensure_ascii=False, indent=2))
    else:
        typer.echo(said, err=bool(code))
    raise typer.Exit(code)


def _claim(cycle: str, scheme: str, as_of: str | None, by: str | None, *, for_real: bool) -> CycleCloseRequested:
    """The claim; ends the command where it would be none."""
    try:
        at = now() if as_of is None else instant_of(as_of)
    except Fault as fault:
        stop(f"--as-of {as_of}: {fault.what}", 2)
    try:
        return CycleCloseRequested(cycle_key=f"{cycle}|{scheme}", cycle=cycle, scheme=scheme, as_of=at, for_real=for_real, by=by)
    except ValidationError as problem:
        wrong: Sequence[Any] = problem.errors()
        stop("; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong), 2)


async def _asked(kafka: KafkaSettings, claim: CycleCloseRequested, wait: float) -> Answer | None:
    record = record_of(claim)
    id = dict(record.headers)["ce_id"].decode()
    is_answer: Callable[[object], bool] = lambda event: _answers(event, id, claim.cycle_key, claim.as_of)  # noqa: E731 - one line, used once
    if not wait:
        await publish(kafka, [record], total=1)
        return None
    async with TopicEvents.on(kafka, TOPIC, from_the_end=True) as answers:  # the end as it is before the question
        await publish(kafka, [record], total=1)
        try:
            async with asyncio.timeout(wait):
                answer = await answers.first(is_answer)
        except TimeoutError:
            return None
    assert isinstance(answer, Answer)
    return answer


def _answers(event: object, id: str, cycle_key: str, as_of: datetime) -> bool:
    match event:
        case CycleClosed() | CycleClosePlanned():
            return event.cycle_key == cycle_key and event.as_of == as_of
        case CycleClaimRejected():
            return event.claim_id == id
        case _:
            return False
