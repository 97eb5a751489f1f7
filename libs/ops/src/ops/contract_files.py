"""The contracts as files: JSON Schemas and golden examples of every event type, as they are committed and shipped."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from common.contracts.dead_letters import DeadLetterRecorded
from common.contracts.event import Claim, Event
from common.contracts.topics import EVENTS

SCHEMAS = Path("libs/common/src/common/contracts/schemas")
"""Where the schemas are in a checkout."""
EXAMPLES = Path("libs/common/src/common/contracts/examples")
"""Where the examples are in a checkout: `<type>.<n>.json`; another number is another example, and none ever changes."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Example:
    """One golden example: a record in binary mode as it is on the topic, with the data as JSON."""

    name: str
    topic: str
    key: str
    headers: dict[str, str]
    data: dict[str, Any]

    @property
    def type(self) -> str:
        """The event type that it is an example of."""
        return self.name.rpartition(".")[0]


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
        yield Example(name=name.removesuffix(".json"), **json.loads(folder.joinpath(name).read_text("utf-8")))


def _by_number(name: str) -> tuple[str, int]:
    type, _, number = name.removesuffix(".json").rpartition(".")
    return type, int(number)


def pretty(document: Any) -> str:
    """JSON for people and diffs: two spaces, Chinese as it is, a newline at the end."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
