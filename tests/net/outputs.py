"""What the services say on their output topics, as digests that two runs of one input agree on; kept beside this module.

Each record counts with its topic, key, type, subject, time, data and its identity (id, sequence, what caused it and what it was
replayed from). Left out is what two runs differ in by nature: when a record was written (`recordedtime`, offsets, partition), and on
the topics that follow from closing a cycle the moment at which it was closed (`time`, `as_of`, the ids derived from it, and the
`watermarks`, which are offsets). A case that hears from two topics numbers its decisions as they come, and draws a fact from both: there
the number is left out, which of the two came last, and what the fact said before. A record that stands on a topic twice counts twice:
an undisturbed run repeats nothing.
Dead letters stay out: they name offsets. The months of promises stay out: how far a service has come when it first counts them decides
how often one is corrected.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.ops.replay_logs import random_log, write_log

from common.contracts.topics import SERVICES, TOPICS, source_of
from devstack import Stack
from ops.demo import create_topics
from ops.platform import Platform
from ops.processes import services

HERE = Path(__file__).parent
DATA = Path(os.environ.get("AFTERSALES_DATA", HERE.parents[1] / "../shared/data"))  # noqa: TID251 - where this machine has real logs is no setting of the product
VOLVO_LOG = "volvo_incidents/VINST-new.csv.gz"
VOLVO = DATA / VOLVO_LOG
_COMMAND = [sys.executable, "-c", "import sys; from ops.main import main; sys.exit(main())"]
_OF_THE_CLOSE = ("cycles", "grade-results", "grade-history", "grade-outcomes")
_SAID = ("ce_type", "ce_subject", "ce_time", "ce_source")
_HEAR_FROM_TWO_TOPICS = (source_of("intake"), source_of("complaints"))
_BY_ARRIVAL = {
    "service-requests": ("ce_sequence",),
    "complaints": ("ce_sequence",),
    "sla-clocks": ("ce_id", "ce_causationid", "ce_correlationid"),  # the id follows from how much was told of the clock before
    "kpi-facts": ("ce_causationid", "ce_correlationid"),
}
_FROM_TWO_TOPICS = ("customer_satisfaction",)
_IDENTITY = ("ce_id", "ce_sequence", "ce_causationid", "ce_correlationid", "ce_replayof")

Record = tuple[str, str, Mapping[str, str], Mapping[str, Any]]
"""Topic, key, headers and data."""
Summary = dict[str, dict[str, dict[str, Any]]]
"""Topic and history → type → how many, and the digests of what was said, of its identity, and of the values of each field."""


def kept(name: str) -> Summary:
    """The digests that are kept of one input."""
    found: Summary = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    return found


def play_demo(stack: Stack, replicas: int, folder: Path) -> tuple[str, Path]:
    """Runs the demo on an empty Kafka, with a made-up log to replay: what it told on the terminal, and its report."""
    log, report = folder / "data" / VOLVO_LOG, folder / "report.json"
    log.parent.mkdir(parents=True)
    write_log(folder / "log.csv", random_log(seed=5, cases=100)).rename(log)  # gzipped, its bytes would hang on the machine's zlib
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": stack.kafka, "DATABASE_URL": stack.database_url}  # noqa: TID251 - a process of its own, with what this one was given
    command = [*_COMMAND, "demo", "--replicas", str(replicas), "--data", str(folder / "data"), "--report", str(report)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, report


def play_volvo(stack: Stack, replicas: int, folder: Path) -> None:
    """Replays the Volvo log through the services on an empty Kafka."""
    platform = Platform(stack.kafka, stack.database_url, SERVICES)
    create_topics(platform.settings)
    command = [*_COMMAND, "replay", str(VOLVO), "--mapping", "volvo", "--json"]
    with services(stack.kafka, stack.database_url, folder, replicas=replicas):
        subprocess.run(command, env=platform.environment(), check=True, stdout=subprocess.DEVNULL)
        asyncio.run(platform.settled(limit=3600))


def said(stack: Stack) -> Summary:
    """The digests of all that stands on the topics of decisions."""
    return summary(asyncio.run(_records(stack.kafka)))


def differences(was: Summary, now: Summary) -> list[str]:
    """What two summaries differ in, a line each: topics, types, numbers, and the fields whose values differ."""
    found = []
    for topic in dict.fromkeys([*was, *now]):
        before, after = was.get(topic, {}), now.get(topic, {})
        for type in dict.fromkeys([*before, *after]):
            one, other = before.get(type, _NONE), after.get(type, _NONE)
            if one["count"] != other["count"]:
                found.append(f"{topic}, {type}: {one['count']} events became {other['count']}")
            fields = [name for name in {**one["fields"], **other["fields"]} if one["fields"].get(name) != other["fields"].get(name)]
            if fields:
                found.append(f"{topic}, {type}: other values of {', '.join(sorted(fields))}")
            found += [f"{topic}, {type}: another {name}" for name in ("said", "identity") if one[name] != other[name]]
    return found


_NONE: dict[str, Any] = {"count": 0, "said": "", "identity": "", "fields": {}}


def summary(records: Iterable[Record]) -> Summary:
    """The digests of records, in whatever order they come."""
    spoken, identity = defaultdict(list), defaultdict(list)
    fields: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for topic, key, headers, data in _lasting(records):
        by_close = topic in _OF_THE_CLOSE
        by_arrival = _BY_ARRIVAL.get(topic, ()) if headers["ce_source"] in _HEAR_FROM_TWO_TOPICS else ()
        head = {"key": key, **{name: headers.get(name, "") for name in _SAID if not by_close or name != "ce_time"}}
        names = ("ce_sequence", "ce_replayof") if by_close else [name for name in _IDENTITY if name not in by_arrival]
        identities = {name: headers.get(name, "") for name in names}
        body = {name: value for name, value in data.items() if not by_close or name not in ("as_of", "watermarks")}
        history = headers.get("ce_replayof", "").partition(":")[0]
        place = f"{topic} of {history or 'the close'}", headers["ce_type"]
        spoken[place].append(_canonical([head, body]))
        identity[place].append(_canonical([head, identities]))
        for name, value in {**head, **identities, **body}.items():
            fields[place][name].append(_canonical(value))
    found: Summary = defaultdict(dict)
    for place in sorted(spoken):
        found[place[0]][place[1]] = {
            "count": len(spoken[place]),
            "said": _digest(spoken[place]),
            "identity": _digest(identity[place]),
            "fields": {name: _digest(values)[:12] for name, values in sorted(fields[place].items())},
        }
    return dict(found)


def _lasting(records: Iterable[Record]) -> Iterator[Record]:
    """All but what was said for a time of facts that a case draws from two topics: earlier revisions, and credit that has moved away."""
    newest: dict[tuple[object, ...], int] = {}
    kept = list(records)
    for _, _, _, data in kept:
        if data.get("indicator") in _FROM_TWO_TOPICS:
            newest[_fact(data)] = max(newest.get(_fact(data), 0), data["revision"])
    return (record for record in kept if _fact(record[3]) not in newest or _counts(record[3], newest[_fact(record[3])]))


def _counts(fact: Mapping[str, Any], newest: int) -> bool:
    return bool(fact["revision"] == newest and fact["denominator"] != "0")


def _fact(data: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(data.get(name) for name in ("case_id", "indicator", "subject", "occurrence"))


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


async def _records(kafka: str) -> list[Record]:
    """Every record of every topic of decisions."""
    found: list[Record] = []
    async with AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False) as consumer:
        topics = [topic for topic in TOPICS if topic.kind == "decisions" and topic.name != "sla-months"]
        places = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [
                    (record.topic, record.key.decode(), {name: value.decode() for name, value in record.headers}, json.loads(record.value))
                    for record in records
                ]
    return found
