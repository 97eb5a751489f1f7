"""Rows in which Kafka loses records or a database comes back from a backup, and an operator follows the words of the runbook."""

import asyncio
import json
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.databases import database
from tests.faults.lost import delete_before, make_anew, what_doctor_finds_bad
from tests.faults.table.quarter import Quarter, Stuck
from tests.faults.table.row import Row

from common.contracts.topics import BY_NAME, SERVICES
from devstack.local_postgres import WHEEL
from ops.connection import url_of
from ops.platform import Platform
from ops.simulation.claims import Sent

_NOTICED = 60.0
_LEAST = 10
_WORD = ("--by", "the table of faults", "--reason")


async def claims_anew(quarter: Quarter, times: int) -> None:
    """Topics of claims are made anew between two halves of the quarter, when all their records were handled."""
    first, second = quarter.halves()
    await quarter.send(first)
    chosen = [(topic, service) for topic, service in (("complaint-claims", "complaints"), ("work-order-claims", "dispatch"))][:times]
    for topic, service in chosen:
        async with quarter.fault():
            await make_anew(quarter.stack, topic)
            await _found(quarter, service, topic, "made_anew")
            await quarter.aftersales("holes", "accept", "--service", service, "--topic", topic, *_WORD, "all of it was handled")
    await quarter.send(second)


async def facts_anew(quarter: Quarter, times: int) -> None:
    """`kpi-facts` is made anew with facts that appraisal has not read; no cycle closes until they were sent again and a person says so."""
    assert times == 1
    since = datetime.now(UTC)  # noqa: TID251 - the wall clock of an operator
    first, second = quarter.halves()
    await quarter.send(first)
    await quarter.stop("appraisal")
    await _send_past(quarter, "appraisal", second)
    async with quarter.fault():
        await make_anew(quarter.stack, "kpi-facts")
        quarter.start("appraisal")
        await _found(quarter, "appraisal", "kpi-facts", "made_anew")
        await quarter.ask_to_close()
        await asyncio.sleep(5)
        if grades := await quarter.platform.grades():
            quarter.wrong.append(f"{len(grades)} grades over a hole")
        for service in SERVICES:
            asked = ("outbox", "republish", "--service", service, "--since", since.isoformat(), "--topic", "kpi-facts")
            await quarter.aftersales(*asked)
        await quarter.aftersales("holes", "accept", "--service", "appraisal", "--topic", "kpi-facts", *_WORD, "sent again")
    await quarter.settle()


async def deleted_unread(quarter: Quarter, times: int) -> None:
    """Claims are deleted before complaints has read them: what is missing is said, and their sender sends them again."""
    assert times == 1
    first, second = quarter.halves()
    await quarter.send(first)
    await quarter.stop("complaints")
    await _send_past(quarter, "complaints", second)
    again = [record for record in second if record.topic == "complaint-claims"]
    async with quarter.fault():
        await _deleted(quarter, "complaint-claims")
        quarter.start("complaints")
        missing = await _found(quarter, "complaints", "complaint-claims", "deleted_unread")
        if missing != len(again):
            quarter.wrong.append(f"{missing} records are said to be missing, not {len(again)}")
        told = await quarter.aftersales("holes", "list", "--service", "complaints", "--json")
        if sum(hole["position_after"] - hole["position_before"] for hole in json.loads(told)) != missing:
            quarter.wrong.append(f"holes list says something else: {told}")
        await quarter.send(again)
        await quarter.aftersales("holes", "accept", "--service", "complaints", *_WORD, "the hotline has sent them again")


async def restored(quarter: Quarter, times: int) -> None:
    """One service after the other loses its database and gets an older one back, while the others go on."""
    chosen = SERVICES[:times]
    async with quarter.coming_in():
        await quarter.until(0.15)
        events = {}
        for service in chosen:
            events[service] = await _events(quarter, service)
            await _postgres(
                "pg_dump", "--format=custom", f"--file={_backup(quarter, service)}", url_of(quarter.platform.database_url, service)
            )
        await quarter.until(0.6)
        for service in chosen:
            async with quarter.fault():
                await quarter.stop(service)
                lost = await _events(quarter, service) - events[service]
                if lost < _LEAST:
                    quarter.wrong.append(f"{service} lost {lost} events with its database, which is nothing to speak of")
                await quarter.change("postgres", f'DROP DATABASE "{service}" WITH (FORCE)')
                await quarter.change("postgres", f'CREATE DATABASE "{service}"')
                database_url = url_of(quarter.platform.database_url, service)
                await _postgres("pg_restore", f"--dbname={database_url}", str(_backup(quarter, service)))
                await _restore_offsets(quarter, service)
                quarter.start(service)


def _backup(quarter: Quarter, service: str) -> Path:
    return quarter.folder / f"{service}.backup"


async def _events(quarter: Quarter, service: str) -> int:
    found: int = await quarter.value(service, "SELECT coalesce(sum(events_in), 0)::int FROM consumer_progress")
    return found


async def _restore_offsets(quarter: Quarter, service: str) -> None:
    """Again while the group still has members."""
    end = time.monotonic() + _NOTICED
    while True:
        try:
            await quarter.aftersales("restore-offsets", "--service", service)
        except Stuck as refused:
            if "stop every replica" not in str(refused) or time.monotonic() > end:
                raise
        else:
            return


async def _postgres(program: str, *words: str) -> None:
    """Runs one of PostgreSQL's own programs, from the wheel."""
    spec = find_spec(WHEEL)
    assert spec is not None
    assert spec.origin is not None
    command = [str(Path(spec.origin).parent / "pginstall18" / "bin" / program), *words]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Stuck(f"{program} ended with {done.returncode}: {done.stderr[-400:]}")


async def _send_past(quarter: Quarter, service: str, claims: Sequence[Sent]) -> None:
    """Sends claims while one service is away; returns when the others have nothing left to do."""
    others = tuple(name for name in SERVICES if name != service)
    await quarter.publish(claims)
    try:
        await Platform(quarter.platform.kafka, quarter.platform.database_url, others).settled(120)
    except TimeoutError as late:
        raise Stuck(str(late)) from late


async def _deleted(quarter: Quarter, topic: str) -> None:
    """Every record that stands on a topic now."""
    for place, end in (await quarter.platform.ends()).items():
        if place[0] == topic:
            await delete_before(quarter.stack, *place, end)


async def _found(quarter: Quarter, service: str, topic: str, kind: str) -> int:
    """Waits until the service has found every hole of a topic; returns how many records it says are missing."""
    query = "SELECT partition, position_before, position_after FROM log_holes WHERE topic = $1 AND kind = $2 AND ended_at IS NULL"
    before: list[Any] = []
    calm = 0
    end = time.monotonic() + _NOTICED
    while calm < 6:
        await asyncio.sleep(0.5)
        async with database(quarter.platform.database_url, service) as connection:
            rows = await connection.fetch(query, topic, kind)
        calm = calm + 1 if rows and rows == before else 0
        before = rows
        if time.monotonic() > end:
            raise Stuck(
                f"{service} found {len(rows)} holes of the kind {kind} in {topic} within {_NOTICED:g} s, of {BY_NAME[topic].partitions}"
            )
    if f"{service} holes" not in await what_doctor_finds_bad(quarter.stack):
        quarter.wrong.append(f"doctor does not say that {service} has holes")
    return sum(row["position_after"] - row["position_before"] for row in before)


ROWS = [
    Row("claims-anew", "two topics of claims made anew, all handled", claims_anew, runs=2, at_once=2),
    Row("facts-anew", "kpi-facts made anew, half of them unread", facts_anew, runs=1, at_once=1),
    Row("deleted-unread", "claims deleted unread, said, and sent again", deleted_unread, runs=1, at_once=1),
    Row("restore", "each service's database restored from a backup", restored, runs=4, at_once=4),
]
