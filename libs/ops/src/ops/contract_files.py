"""The contracts as files: JSON Schemas and golden examples of every event type, as they are committed and shipped."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from zlib import crc32

from common.contracts.dead_letters import DeadLetterRecorded
from common.contracts.envelope import headers_of
from common.contracts.event import Claim, Envelope, Event
from common.contracts.topics import BY_NAME, EVENTS, source_of, topic_of
from common.kernel.ids import derived_id

SCHEMAS = Path("libs/common/src/common/contracts/schemas")
"""Where the schemas are in a checkout."""
EXAMPLES = Path("libs/common/src/common/contracts/examples")
"""Where the examples are in a checkout, each the data of an event: `<type>.<n>.json`; another number is another example, none changes."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


EventClass = type[Event]

_MOMENT = datetime.fromisoformat("2026-08-03T10:15:00+08:00")
"""When an example happened whose data says nothing of it."""
_RECORDING = timedelta(milliseconds=184)
"""How long after its cause the decision of an example is on record."""


@dataclass(frozen=True, slots=True)
class Example:
    """One golden example: the data of an event as JSON. The record in which it travels is made from the contract, always the same."""

    name: str
    data: dict[str, Any]

    @property
    def type(self) -> str:
        """The event type that it is an example of."""
        return self.name.rpartition(".")[0]

    @property
    def model(self) -> EventClass:
        """The class of its event."""
        return event_types()[self.type]

    @property
    def topic(self) -> str:
        """The topic on which it stands; for a dead letter that of the service which wrote it."""
        if self.model is DeadLetterRecorded:
            return BY_NAME[self.data["topic"]].dead_letters(self.data["service"])
        return topic_of(self.model).name

    @property
    def key(self) -> str:
        """The key of its record."""
        return str(self.data["letter_id" if self.model is DeadLetterRecorded else topic_of(self.model).key])

    @property
    def headers(self) -> dict[str, str]:
        """The headers of its record in binary mode: of a decision those that the service writes, of a claim those that it needs."""
        event = self.model.model_validate_json(json.dumps(self.data))
        time = next((value for value in dict(event).values() if isinstance(value, datetime)), _MOMENT)
        source = self._source()
        if not is_ours(self.model):
            head = {"specversion": "1.0", "id": _id(self.name), "source": source, "type": self.type, "subject": self.key}
            told = {**head, "time": time.isoformat()}
            return {**{f"ce_{name}": text for name, text in told.items()}, "content-type": "application/json"}
        is_letter = self.model is DeadLetterRecorded
        cause = "" if is_letter else _id(f"{self.name} was caused by")
        envelope = Envelope(
            id=self.key if is_letter else derived_id(time, self.name),
            source=source,
            type=self.type,
            subject=self.key,
            time=time,
            recorded_at=time if is_letter else time + _RECORDING,
            correlation_id=cause,
            causation_id=cause,
            sequence=2 if not is_letter and topic_of(self.model).aggregate else None,
        )
        return dict(headers_of(envelope, key=self.key))

    def _source(self) -> str:
        if self.model is DeadLetterRecorded:
            return source_of(self.data["service"])
        topic = topic_of(self.model)
        if topic.kind == "decisions":
            return source_of(self.data.get("service", topic.producers[0]))
        return {"claims": "/crm", "rules": source_of("operator")}[topic.kind]


def _id(of: str) -> str:
    """The id of a claim of an example, as a system outside would number it."""
    return f"crm-{crc32(of.encode()) % 90_000 + 10_000}"


def event_types() -> dict[str, type[Event]]:
    """Every event type with its class, that of the dead letters included."""
    return {**EVENTS, DeadLetterRecorded.TYPE: DeadLetterRecorded}


def is_ours(model: type[Event]) -> bool:
    """Whether we write events of this class and others read them; a claim is the other way round."""
    return not issubclass(model, Claim)


def schema_of(model: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's data, as it is committed; `$id` is what the header `ce_dataschema` names."""
    own = model.model_json_schema()
    return {"$schema": DIALECT, "$id": f"/schemas/{model.TYPE}.json", **own, "title": model.TYPE}


def examples() -> Iterator[Example]:
    """The shipped examples, in the order of type and number."""
    folder = resources.files("common.contracts").joinpath("examples")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".json"))
    for name in sorted(names, key=_by_number):
        yield Example(name.removesuffix(".json"), json.loads(folder.joinpath(name).read_text("utf-8")))


def _by_number(name: str) -> tuple[str, int]:
    type, _, number = name.removesuffix(".json").rpartition(".")
    return type, int(number)


def pretty(document: Any) -> str:
    """JSON for people and diffs: two spaces, Chinese as it is, a newline at the end."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
