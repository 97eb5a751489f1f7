"""The operator's commands on a platform that `aftersales run` keeps running: one Kafka, one PostgreSQL, four processes."""

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from tests.faults.kit import HANGS
from typer.testing import CliRunner, Result

from appraisal.commands import app as grade
from common.contracts.claims.appraisal import KpiReported, OrgDescribed, OrgMember
from common.contracts.topics import BY_NAME
from devstack import Stack
from ops import cycle, dead_letters, doctor, outbox, resume, topics
from ops.platform import Platform

pytestmark = pytest.mark.real

AFTERSALES = Path(sys.executable).parent / "aftersales"
LODGED = {"customer_id": "K1", "category": "noise", "region": "north", "handled_by": "E1001"}
HEADERS = {"ce_specversion": "1.0", "ce_source": "/tests", "ce_type": "complaint.lodged", "ce_time": "2026-07-01T10:00:00+08:00"}


@dataclass(frozen=True)
class Running:
    """The platform, what `aftersales run` printed, and how to work on it."""

    stack: Stack
    process: subprocess.Popen[str]
    printed: str

    def call(self, app: Any, *words: str) -> Result:
        """One command, with the addresses in its environment as an operator has them."""
        env = {"KAFKA_BOOTSTRAP_SERVERS": self.stack.kafka, "DATABASE_URL": self.stack.database_url, "COLUMNS": "200"}
        return CliRunner().invoke(app, list(words), env=env)

    def rows(self, app: Any, *words: str) -> list[dict[str, Any]]:
        """What a command prints with --json."""
        found: list[dict[str, Any]] = json.loads(self.call(app, *words, "--json").stdout)
        return found

    def ask(self, service: str, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of a service's database."""

        async def ask() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(self.stack.url_of(service))
            try:
                return [dict(row) for row in await connection.fetch(query, *values)]
            finally:
                await connection.close()

        return asyncio.run(ask())

    def until(self, service: str, query: str, *values: object) -> list[dict[str, Any]]:
        """The rows of a query as soon as there are any."""
        end = time.monotonic() + HANGS
        while not (rows := self.ask(service, query, *values)):
            assert time.monotonic() < end, f"nothing for {query} {values}"
        return rows

    def send(self, topic: str, key: str, value: bytes, **changed: str | None) -> None:
        """Publishes one record as an enterprise system would; a header of None is left out."""
        headers = [(name, text.encode()) for name, text in {**HEADERS, **changed}.items() if text is not None]

        async def send() -> None:
            async with AIOKafkaProducer(bootstrap_servers=self.stack.kafka) as producer:
                await producer.send_and_wait(topic, value, key=key.encode(), headers=headers)

        asyncio.run(send())

    def lodge(self, complaint: str, value: bytes | None = None, **changed: str | None) -> None:
        """A complaint, or what should have been one."""
        self.send("complaint-claims", complaint, body(complaint) if value is None else value, **{"ce_id": complaint, **changed})

    def letter(self, complaint: str) -> str:
        """The id of the open letter about a complaint's record."""
        query = "SELECT id FROM dead_letters WHERE key = $1 AND closed_at IS NULL"
        return str(self.until("complaints", query, complaint.encode())[0]["id"])

    def is_known(self, complaint: str) -> bool:
        return bool(self.ask("complaints", "SELECT FROM complaints WHERE id = $1", complaint))


def body(complaint: str, **changed: object) -> bytes:
    return json.dumps({"complaint_id": complaint, **LODGED, **changed}).encode()


@pytest.fixture(scope="module")
def running(stack: Stack) -> Iterator[Running]:
    env = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": stack.kafka, "DATABASE_URL": stack.database_url}  # noqa: TID251 - for a child process
    process = subprocess.Popen([AFTERSALES, "run"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while "Ctrl-C" not in "".join(lines[-1:]):
            line = process.stdout.readline()
            assert line, "`aftersales run` ended by itself"
            lines.append(line)
        yield Running(stack, process, "".join(lines))
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def complaint() -> str:
    """An id that no other test has: the servers are shared."""
    return f"C-{secrets.token_hex(5)}"


def test_run_prints_every_address_and_an_example_that_works_as_printed(running: Running) -> None:
    assert running.stack.kafka in running.printed
    assert len(re.findall(r"^\w+: http://127\.0\.0\.1:\d+/metrics$", running.printed, re.MULTILINE)) == 4
    assert f"kcat -P -b {running.stack.kafka}" in running.printed
    example = re.search(r"^import asyncio.*?asyncio\.run\(main\(\)\)$", running.printed, re.MULTILINE | re.DOTALL)
    assert example is not None
    subprocess.run([sys.executable, "-c", example[0]], check=True)
    running.until("complaints", "SELECT FROM complaints WHERE id = 'C-2'")


def test_topics_are_as_the_table_says_until_somebody_changes_one(running: Running) -> None:
    assert running.call(topics.app, "diff").exit_code == 0
    _set_retention(running.stack.kafka, "sla-clocks", "1000")
    result = running.call(topics.app, "diff", "--json")
    assert result.exit_code == 1
    # Kafka's call sets everything that it is not given to its default, so there is more
    assert {"topic": "sla-clocks", "what": "retention.ms", "wanted": "2592000000", "found": "1000"} in json.loads(result.stdout)
    applied = running.call(topics.app, "apply", "--json")
    assert applied.exit_code == 0
    assert {one["done"] for one in json.loads(applied.stdout)} == {"set"}
    assert running.rows(topics.app, "diff") == []


def _set_retention(kafka: str, topic: str, milliseconds: str) -> None:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    async def change() -> None:
        client = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await client.start()
        try:
            await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": milliseconds})])
        finally:
            await client.close()

    asyncio.run(change())


def test_a_cycle_is_closed_or_refused_and_says_who_has_no_grade(running: Running) -> None:
    assert running.call(cycle.app, "status", "2025Q3", "basic@1").exit_code == 1, "nobody has asked"
    boss = OrgMember(employee_id="E1", post="supervisor", department="service", team="t1", roles=["hr"])
    described = OrgDescribed(org_id="cycles", members=[boss])
    names = {"ce_type": described.TYPE, "ce_id": "org-of-cycles", "ce_time": "2025-01-01T00:00:00+08:00"}
    running.send(described.TOPIC, "cycles", described.model_dump_json().encode(), **names)
    running.until("appraisal", "SELECT FROM organisations")

    early = running.call(cycle.app, "close", "2025Q3", "--scheme", "basic@1", "--as-of", "2025-09-30T00:00:00+08:00", "--wait", "60")
    assert early.exit_code == 1
    assert "not_before_its_end, about as_of" in early.output
    refused = running.call(cycle.app, "close", "2025Q3", "--scheme", "nobody@1", "--wait", "60")
    assert (refused.exit_code, "unknown_scheme" in refused.output) == (1, True)
    assert running.call(cycle.app, "close", "2025-13", "--scheme", "basic@1").exit_code == 2
    planned = running.call(cycle.app, "close", "2025Q2", "--scheme", "basic@1", "--as-of", "2299-01-01T00:00:00Z", "--wait", "60")
    assert planned.exit_code == 0, planned.output
    assert "will begin to close at 2299-01-01" in planned.output
    assert "A close is planned" in running.call(cycle.app, "status", "2025Q2", "basic@1").output


def test_a_closed_cycle_is_listed_with_its_counts(running: Running) -> None:
    reported = KpiReported(case_id="of-cycles", indicator="in_time_solution", subject="employee:E1", numerator="1", denominator="1")
    names = {"ce_type": reported.TYPE, "ce_id": "kpi-of-cycles", "ce_time": "2025-08-01T00:00:00+08:00"}
    running.send(reported.TOPIC, "of-cycles", reported.model_dump_json().encode(), **names)
    running.until("appraisal", "SELECT FROM kpi_facts WHERE case_id = 'of-cycles'")
    done = running.call(cycle.app, "close", "2025Q3", "--scheme", "basic@1", "--by", "E1", "--wait", "60")
    assert done.exit_code == 0, done.output
    assert "is closed: 1 graded, 0 not." in done.output
    (line,) = [one for one in running.rows(cycle.app, "list") if one["cycle"] == "2025Q3"]
    assert (line["cycle_key"], line["status"], line["graded"], line["not_graded"]) == ("2025Q3|basic@1", "graded", 1, 0)
    told = running.call(cycle.app, "status", "2025Q3", "basic@1")
    assert told.exit_code == 0
    assert "2025Q3 under basic@1 is graded" in told.output
    found = json.loads(running.call(cycle.app, "status", "2025Q3", "basic@1", "--json").stdout)
    assert (found["waits_for"], found["not_graded"]) == ([], {})


def test_a_repaired_body_keeps_its_id_and_closes_the_letter(running: Running, complaint: str, tmp_path: Path) -> None:
    running.lodge(complaint, body(complaint, category=7))
    letter = running.letter(complaint)
    [listed] = [one for one in running.rows(dead_letters.app, "list", "--service", "complaints") if one["id"] == letter]
    assert (listed["kind"], listed["rule"], listed["field"]) == ("letter", "bad_value", "data.category")

    assert running.call(dead_letters.app, "redrive", letter).exit_code == 1
    assert not running.is_known(complaint)
    saved = tmp_path / "record"
    assert running.call(dead_letters.app, "show", letter, "--save", str(saved)).exit_code == 0
    saved.write_bytes(saved.read_bytes().replace(b'"category": 7', b'"category": "noise"'))
    [result] = running.rows(dead_letters.app, "redrive", letter, "--data", str(saved))
    assert result["outcome"] == "applied"
    assert running.is_known(complaint)
    assert letter not in [one["id"] for one in running.rows(dead_letters.app, "list")]
    assert letter in [one["id"] for one in running.rows(dead_letters.app, "list", "--all", "--limit", "100000")]
    [again] = running.rows(dead_letters.app, "redrive", letter)
    assert (again["outcome"], "closed" in again["note"]) == ("refused", True)


def test_a_letter_without_a_readable_id_is_sent_with_a_new_one_and_closed(running: Running, complaint: str) -> None:
    running.lodge(complaint, ce_id=None)
    letter = running.letter(complaint)
    [hint] = running.rows(dead_letters.app, "redrive", letter)
    assert "--header ce_id=" in hint["note"]
    [result] = running.rows(dead_letters.app, "redrive", letter, "--header", f"ce_id={complaint}")
    assert result["outcome"] == "applied"
    assert running.is_known(complaint)
    assert not running.ask("complaints", "SELECT FROM dead_letters WHERE id = $1 AND closed_at IS NULL", letter)


def test_a_record_larger_than_what_a_letter_keeps_is_read_from_kafka(running: Running, complaint: str) -> None:
    value = b" " * 70_000 + body(complaint)
    running.lodge(complaint, value, ce_time="no instant")
    letter = running.letter(complaint)
    [result] = running.rows(dead_letters.app, "redrive", letter, "--header", "ce_time=2026-07-01T10:00:00+08:00")
    assert result["outcome"] == "applied"
    assert running.is_known(complaint)


def test_a_truncated_record_that_kafka_lost_is_refused_with_its_place(running: Running, complaint: str) -> None:
    running.lodge(complaint, b"{" + b" " * 70_000)
    letter = running.letter(complaint)
    moved = 'UPDATE dead_letters SET "offset" = 10000000 WHERE id = $1 RETURNING topic, partition'
    [place] = running.ask("complaints", moved, letter)
    [result] = running.rows(dead_letters.app, "redrive", letter)
    assert result["outcome"] == "refused"
    assert f"topic {place['topic']}, partition {place['partition']}, offset 10000000" in result["note"]


def test_a_conflicting_duplicate_is_not_sent_again_but_can_be_closed(running: Running, complaint: str) -> None:
    running.lodge(complaint)
    running.lodge(complaint, body(complaint, region="south"))
    letter = running.letter(complaint)
    [result] = running.rows(dead_letters.app, "redrive", letter)
    assert result["outcome"] == "refused"
    assert running.call(dead_letters.app, "close", letter).exit_code == 0
    assert running.call(dead_letters.app, "close", letter).exit_code == 1


def test_all_letters_of_a_rule_go_at_once(running: Running, complaint: str) -> None:
    rows = [f"{complaint}-{number}" for number in range(3)]
    for row in rows:
        running.lodge(row, ce_time="2999-01-01T00:00:00Z")  # time_ahead: right in itself, too early for the service
    letters = {running.letter(row) for row in rows}
    asked = ("redrive", "--rule", "time_ahead", "--service", "complaints")
    results = {one["id"]: one for one in running.rows(dead_letters.app, *asked)}
    assert {results[letter]["outcome"] for letter in letters} == {"refused"}
    assert running.call(dead_letters.app, *asked, "--data", __file__).exit_code == 2


def test_a_parked_aggregate_goes_on_in_the_old_order(running: Running, complaint: str) -> None:
    ref = f"complaints:{complaint}"
    running.ask("complaints", "INSERT INTO parked_keys (aggregate, reason) VALUES ($1, 'KeyError')", ref)
    running.lodge(complaint)
    told = json.dumps({"complaint_id": complaint, "by": "E1001"}).encode()
    running.lodge(complaint, told, ce_id=f"{complaint}-2", ce_type="complaint.complainant_told")
    running.until("complaints", "SELECT FROM parked WHERE aggregate = $1 HAVING count(*) = 2", ref)
    [listed] = [one for one in running.rows(dead_letters.app, "list") if one["id"] == ref]
    assert (listed["kind"], listed["events"]) == ("parked", 2)
    assert not running.is_known(complaint)
    [result] = running.rows(dead_letters.app, "redrive", ref)
    assert result["outcome"] == "applied"
    [row] = running.ask("complaints", "SELECT state -> 'steps' -> 0 ->> 'step' AS step FROM complaints WHERE id = $1", complaint)
    assert row["step"] == "acknowledged"


def test_an_event_that_waits_is_listed_and_needs_nobody(running: Running, complaint: str) -> None:
    told = json.dumps({"complaint_id": complaint, "by": "E1001"}).encode()
    running.lodge(complaint, told, ce_type="complaint.complainant_told")
    running.until("complaints", "SELECT FROM waiting WHERE id = $1", complaint)
    result = running.call(dead_letters.app, "redrive", complaint, "--json")
    assert (result.exit_code, json.loads(result.stdout)[0]["outcome"]) == (0, "waiting")


def test_halted_partitions_are_bad_news_until_they_are_let_go(running: Running, complaint: str) -> None:
    halted = running.ask("complaints", "UPDATE consumer_progress SET halted = true WHERE topic = 'complaint-claims' RETURNING partition")
    found = running.call(doctor.app, "--json")
    assert found.exit_code == 1
    assert ("bad", "complaints halts") in [(one["state"], one["what"]) for one in json.loads(found.stdout)]
    assert len(running.rows(resume.app, "--service", "complaints")) == len(halted)
    assert running.rows(resume.app, "--service", "complaints") == []
    running.lodge(complaint)
    running.until("complaints", "SELECT FROM complaints WHERE id = $1", complaint)


def test_what_was_sent_is_sent_again_with_the_same_ids(running: Running, complaint: str) -> None:
    running.until("complaints", "SELECT WHERE NOT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)")
    since = datetime.now(UTC).isoformat()  # noqa: TID251 - the wall clock of an operator
    running.lodge(complaint)
    query = "SELECT event_id FROM outbox WHERE aggregateid = $1 AND aggregatetype = 'complaints' AND published_at IS NOT NULL"
    [sent] = running.until("complaints", query, complaint)
    again = running.rows(outbox.app, "republish", "--service", "complaints", "--since", since, "--topic", "complaints")
    assert again == [{"topic": "complaints", "events": 1}]
    running.until("complaints", query, complaint)
    assert _ids_on(running.stack.kafka, "complaints").count(sent["event_id"]) == 2
    assert {"complaints"} <= {one["topic"] for one in running.rows(outbox.app, "list", "--service", "complaints")}


def test_an_event_that_kafka_refuses_is_listed_and_goes_out_when_its_cause_was_mended(running: Running, complaint: str) -> None:
    ref = f"complaints:{complaint}"
    insert = """INSERT INTO outbox (aggregatetype, aggregateid, type, event_id, payload, headers, aggregate)
                VALUES ('complaints', $1, 'complaint.received', $1, $2, '[["ce_type", "complaint.received"]]', $3) RETURNING id"""
    [row] = running.ask("complaints", insert, complaint, b"{" + b" " * 3_000_000 + b"}", ref)
    running.until("complaints", "SELECT FROM parked_keys WHERE aggregate = $1 AND reason = 'unsendable_event'", ref)
    [shown] = running.rows(outbox.app, "list", "--refused", "--service", "complaints")
    assert (shown["id"], shown["aggregate"], shown["reason"]) == (row["id"], ref, "MessageSizeTooLargeError")
    diagnosis = running.rows(doctor.app)
    assert "aftersales outbox list --refused --service complaints" in {one["do"] for one in diagnosis}

    running.ask("complaints", "UPDATE outbox SET payload = $2 WHERE id = $1", row["id"], b"{}")
    [again] = running.rows(outbox.app, "retry", str(row["id"]), "--service", "complaints")
    assert again == {"id": row["id"], "topic": "complaints", "aggregate": ref}
    running.until("complaints", "SELECT FROM outbox WHERE id = $1 AND published_at IS NOT NULL", row["id"])
    running.until("complaints", "SELECT WHERE NOT EXISTS (SELECT FROM parked_keys WHERE aggregate = $1)", ref)
    assert running.call(outbox.app, "retry", str(row["id"]), "--service", "complaints").exit_code == 1


def _ids_on(kafka: str, topic: str) -> list[str]:
    async def read() -> list[str]:
        places = [TopicPartition(topic, number) for number in range(BY_NAME[topic].partitions)]
        found = []
        async with AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning(*places)
            for place, end in ends.items():
                while await consumer.position(place) < end:
                    got = (await consumer.getmany(place, timeout_ms=1000)).get(place, ())
                    found += [dict(record.headers).get("ce_id", b"").decode() for record in got]  # others may have written there
        return found

    return asyncio.run(read())


def test_a_grade_is_explained_down_to_its_events_and_its_digest_verified(running: Running) -> None:
    mark = secrets.token_hex(3)
    boss, one, *peers = f"B{mark}", f"S{mark}", f"P{mark}", f"Q{mark}"
    members = [
        {"employee_id": boss, "post": "supervisor", "department": "service", "team": "t1", "superior": None},
        *({"employee_id": who, "post": "specialist", "department": "service", "team": "t1", "superior": boss} for who in (one, *peers)),
    ]
    at = f"2026-03-31T0{secrets.randbelow(10)}:{secrets.randbelow(60):02}:{secrets.randbelow(60):02}Z"
    described = json.dumps({"org_id": "hq", "members": members}).encode()
    running.send("org-claims", "hq", described, ce_id=f"org-{mark}", ce_type="org.described", ce_time=at)
    for who in (boss, *peers):  # fewer than three would not be told (ADR 0021)
        rating = {"rating_id": f"r-{who}", "cycle": "2026Q1", "scheme": "department-360@1", "appraisee": one, "appraiser": who}
        given = json.dumps({**rating, "score": "80"}).encode()
        running.send("rating-claims", one, given, ce_id=f"r-{who}", ce_type="rating.given", ce_time=at)
    for number in range(10):
        case = f"K-{mark}-{number}"
        figure = {"case_id": case, "indicator": "in_time_solution", "subject": f"employee:{one}", "denominator": "1"}
        value = json.dumps({**figure, "numerator": "0" if number < 3 else "1"}).encode()
        running.send("kpi-fact-claims", case, value, ce_id=case, ce_type="kpi.reported", ce_time="2026-02-02T10:00:00+08:00")
    platform = Platform(running.stack.kafka, running.stack.database_url, ("appraisal",))
    asyncio.run(platform.close_cycle("2026Q1", "department-360@1"))
    running.until("appraisal", "SELECT FROM grades WHERE subject = $1", f"employee:{one}")

    result = running.call(grade, "explain", one, "--cycle", "2026Q1", "--verify", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    # 70 % × 70 + 30 % × 80
    assert (told["score_exact"], told["grade"], told["digest_verified"]) == ("73", "中", True)
    [solutions] = [part for part in told["sections"][0]["parts"] if part["part"] == "in_time_solution"]
    assert {tuple(fact["events"]) for fact in solutions["facts"]} == {(f"K-{mark}-{number}",) for number in range(10)}
    assert told["next_grade"]["grade"] == "良"
    assert told["next_grade"]["ways"] == [{"indicator": "in_time_solution", "further": 5, "of_the_missed": 1}]

    shown = running.call(grade, "explain", one, "--cycle", "2026Q1").stdout
    assert f"K-{mark}-0" in shown
    assert "良" in shown
    assert running.call(grade, "explain", one, "--cycle", "2026Q1", "--version", "7").exit_code == 1
    assert running.call(grade, "explain", "nobody", "--cycle", "2026Q1").exit_code == 1


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (topics.app, ["diff", "--kafka", "127.0.0.1:9"]),
        (outbox.app, ["list", "--database", "postgresql://a:b@127.0.0.1:9/postgres"]),
        (dead_letters.app, ["list", "--database", "postgresql://a:b@127.0.0.1:9/postgres"]),
        (resume.app, ["--database", "postgresql://a:b@127.0.0.1:9/postgres"]),
        (doctor.app, ["--kafka", "127.0.0.1:9", "--database", "postgresql://a:b@127.0.0.1:9/postgres"]),
        (grade, ["explain", "E1", "--cycle", "2026Q3", "--database", "postgresql://a:b@127.0.0.1:9/postgres"]),
    ],
)
def test_a_server_that_is_away_is_told_in_words(app: Any, words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "127.0.0.1" in result.output
    assert "Traceback" not in result.output


def test_without_an_address_the_command_says_how_to_give_one() -> None:
    result = CliRunner().invoke(topics.app, ["diff"], env={"KAFKA_BOOTSTRAP_SERVERS": ""})
    assert result.exit_code == 2
    assert "--kafka" in result.output


def test_run_stops_cleanly_when_it_is_told_to(running: Running) -> None:
    """The last one here, since the others need what it stops."""
    running.process.send_signal(signal.SIGTERM)
    rest, _ = running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    assert rest.rstrip().endswith("Stopped.")
