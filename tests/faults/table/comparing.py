"""What one disturbed quarter lost and doubled, measured against the undisturbed one."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.decisions import lasting, read_topic
from tests.faults.killing import DECIDED, GRADED, Left, look_at
from tests.faults.table.quarter import Quarter

_SHOWN = 3


@dataclass(slots=True)
class Compared:
    """Every difference, in words: nothing is lost or doubled exactly when there are none."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Whatever else is not as it should be."""
    digest_equal: bool = True


async def compared(quarter: Quarter, wanted: Left) -> Compared:
    """Looks at what the quarter has left, once everything has come to rest."""
    try:
        found = await look_at(quarter.stack)
    except AssertionError as contradiction:
        return Compared(wrong=[*quarter.wrong, str(contradiction)], digest_equal=False)
    result = differences(quarter, wanted, found)
    result.wrong += await _not_the_newest(quarter)
    return result


def differences(quarter: Quarter, wanted: Left, found: Left) -> Compared:
    """What is in one of the two and not in the other, as far as two quarters with the same claims must agree."""
    result = Compared(wrong=list(quarter.wrong), digest_equal=found.digest == wanted.digest)
    _claims(quarter, found, result)
    _decisions(quarter, wanted, found, result)
    _facts(quarter, wanted, found, result)
    if not quarter.closed_before:
        _grades(wanted, found, result)
    _payments(wanted, found, result)
    _at_rest(quarter, found, result)
    return result


def _claims(quarter: Quarter, found: Left, result: Compared) -> None:
    """Every claim took effect once, in the service that owns it."""
    ids = {dict(record.headers)["ce_id"].decode() for record in quarter.sent}
    taken = Counter(id for inbox in found.inbox.values() for id in inbox if id in ids)
    result.lost += [f"claim {id}" for id in sorted(ids - taken.keys())]
    result.doubled += [f"claim {id} in {number} services" for id, number in taken.items() if number > 1]


def _decisions(quarter: Quarter, wanted: Left, found: Left, result: Compared) -> None:
    """The same decisions under the same ids, each said once but for what is sent again under its own id."""
    for topic in DECIDED:
        said = [decision for decision in found.decisions[topic] if not (quarter.beyond and decision.id.startswith(quarter.beyond))]
        identities = {decision.identity for decision in said}
        before, after = lasting(wanted.decisions[topic]), lasting(said)
        result.lost += [f"{topic} {identity}" for identity in sorted(before - after, key=str)]
        result.doubled += [f"{topic} {identity}" for identity in sorted(after - before, key=str)]
        result.doubled += [f"{topic} has two ids for one decision"] * (len(said) - len(identities))


def _facts(quarter: Quarter, wanted: Left, found: Left, result: Compared) -> None:
    """Appraisal knows what the others have decided, in the newest revision."""
    own = {key: fact for key, fact in found.facts.items() if not (quarter.beyond and key[1].startswith(quarter.beyond))}
    result.lost += [f"fact {key}" for key in sorted(wanted.facts.keys() - own.keys())]
    result.doubled += [f"fact {key}" for key in sorted(own.keys() - wanted.facts.keys())]
    result.wrong += [f"fact {key} is {own[key]}, not {fact}" for key, fact in wanted.facts.items() if key in own and own[key] != fact]


def _grades(wanted: Left, found: Left, result: Compared) -> None:
    """The same versions of grades, and nothing paid twice."""
    for topic in GRADED:
        before, after = (_told(left, topic) for left in (wanted, found))
        result.lost += [f"{topic} {told}" for told in (before - after).elements()]
        result.doubled += [f"{topic} {told}" for told in (after - before).elements()]


def _payments(wanted: Left, found: Left, result: Compared) -> None:
    """However often the cycle was closed, as much follows from each grade as in the undisturbed quarter."""
    before, after = _standing(wanted), _standing(found)
    result.lost += [f"what follows from {key}" for key in (before - after).elements()]
    result.doubled += [f"what follows from {key}" for key in (after - before).elements()]


def _standing(left: Left) -> Counter[str]:
    """By grade, how many outcomes were proposed, less those that were taken back."""
    found: Counter[str] = Counter()
    for decision in left.decisions["grade-outcomes"]:
        body = json.loads(decision.value)
        found[body["grade_key"]] += -1 if body.get("reverses") else 1
    return found


def _told(left: Left, topic: str) -> Counter[tuple[str, ...]]:
    names = ("grade_key", "version", "score", "grade", "digest", "outcome_id", "reverses")
    bodies = [json.loads(decision.value) for decision in left.decisions[topic]]
    return Counter(tuple(str(body.get(name)) for name in names) for body in bodies)


def _at_rest(quarter: Quarter, found: Left, result: Compared) -> None:
    """Nothing is held back but the dead letters that the row expects, and every record was counted once."""
    for service, number in found.held_back.items():
        if number != quarter.letters[service]:
            result.wrong.append(f"{service} holds {number} back, not {quarter.letters[service]}")
    for service, counts in found.counts.items():
        if counts["events_in"] != counts["applied"] + counts["duplicates"] + counts["dead_letters"]:
            result.wrong.append(f"{service} does not add up: {counts}")
        if counts["outbox_unpublished"]:
            result.lost.append(f"{counts['outbox_unpublished']} events in the outbox of {service}")
        if counts["lag"] > 0:
            result.lost.append(f"{counts['lag']} records unread by {service}")


async def _not_the_newest(quarter: Quarter) -> list[str]:
    """The keys of the compacted topic whose last record is not the highest version: compaction would keep the wrong one."""
    last: dict[str, int] = {}
    highest: Counter[str] = Counter()
    for record in await read_topic(quarter.stack.kafka, "grade-results"):
        last[record.key] = json.loads(record.value)["version"]
        highest[record.key] = max(highest[record.key], last[record.key])
    current = {grade["grade_key"]: grade["version"] for grade in await quarter.platform.grades()}
    wrong = [f"grade-results ends with version {last[key]} of {key}, not {highest[key]}" for key in last if last[key] != highest[key]]
    wrong += [f"grade-results lacks version {version} of {key}" for key, version in current.items() if highest[key] != version]
    return wrong


def shown(found: Compared, logs: Path) -> list[str]:
    """The first differences of each kind, for the terminal."""
    lines = []
    for name in ("lost", "doubled", "wrong"):
        texts = getattr(found, name)
        lines += [f"{name}: {text}" for text in texts[:_SHOWN]]
        if len(texts) > _SHOWN:
            lines.append(f"{name}: and {len(texts) - _SHOWN} more")
    if not found.digest_equal:
        lines.append("the grades are others")
    return [*lines, f"logs: {logs}"] if lines else []
