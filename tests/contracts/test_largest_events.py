"""No event of ours can be larger than an event may be, whatever it is about: its schema bounds every text, list and map in it."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from common.contracts.dead_letters import DeadLetterRecorded
from common.contracts.envelope import MAX_BYTES
from common.contracts.event import Event
from common.contracts.topics import TOPICS
from common.kafka.topic_admin import MAX_RECORD

DECISIONS = [event for topic in TOPICS if topic.kind == "decisions" for event in topic.events]
_ESCAPED, _LETTER = 6, 4
"""The most bytes that one character takes in JSON: as `\\u0001`, or a printable one in UTF-8."""
_INSTANT, _NUMBER = 40, 25


def named(event: type[Event]) -> str:
    return event.TYPE


def largest(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> int:
    """The most bytes that a value of the schema takes as JSON; `LookupError` names what has no bound."""
    if "$ref" in schema:
        return largest(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return max(largest(one, definitions) for one in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return max(len(json.dumps(one)) for one in schema.get("enum", [schema.get("const")]))
    match schema["type"]:
        case "string":
            return _string(schema)
        case "array":
            return 2 + int(schema["maxItems"]) * (1 + largest(schema["items"], definitions))
        case "object" if "properties" in schema:
            return 2 + sum(len(name) + 4 + largest(one, definitions) for name, one in schema["properties"].items())
        case "object":
            name = largest({"type": "string", **schema["propertyNames"]}, definitions)
            return 2 + int(schema["maxProperties"]) * (name + 2 + largest(schema["additionalProperties"], definitions))
        case _:
            return _NUMBER


def _string(schema: Mapping[str, Any]) -> int:
    if schema.get("format") == "date-time":
        return _INSTANT
    if "pattern" not in schema:
        return 2 + int(schema["maxLength"]) * _ESCAPED
    width = re._parser.parse(schema["pattern"]).getwidth()[1]  # type: ignore[attr-defined]  # only this parser knows how long a match can be
    # the patterns admit nothing that is escaped; ASCII but for the Chinese characters of a word
    return 2 + min(int(width), int(schema.get("maxLength", width))) * (1 if "\\u" not in schema["pattern"] else _LETTER)


@pytest.mark.parametrize("event", DECISIONS, ids=named)
def test_the_largest_event_of_each_type_fits_into_a_record(event: type[Event]) -> None:
    schema = event.model_json_schema()
    assert largest(schema, schema.get("$defs", {})) <= MAX_BYTES


def test_the_largest_dead_letter_can_be_published() -> None:
    schema = DeadLetterRecorded.model_json_schema()
    assert largest(schema, schema.get("$defs", {})) <= MAX_RECORD
