"""The AsyncAPI 3.0 document of the whole platform, from the topics table: FastStream knows one service's topics, and no events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.contracts.dead_letters import DeadLetterRecorded
from common.contracts.event import Event
from common.contracts.topics import ENTERPRISE, SERVICES, TOPICS, dead_letter_topics, topic_of
from common.kafka.topic_admin import wanted
from ops.contract_files import SCHEMAS, Example, event_types, examples, is_ours
from ops.documents.event_pages import groups, kept

_BINDING = "0.5.0"
_SCHEMAS = Path("..") / SCHEMAS
"""Where the schemas are, seen from the document."""
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ce_specversion": ("Always 1.0.", {"type": "string", "const": "1.0"}),
    "ce_id": ("With ce_source the identity of the event: the same pair is the same event.", {"type": "string", "maxLength": 256}),
    "ce_source": ("Who says it: `/crm`, `/aftersales/complaints`.", {"type": "string", "maxLength": 256}),
    "ce_type": ("Which event it is: the name of the message, `complaint.received`.", {"type": "string", "maxLength": 256}),
    "ce_subject": ("The record's key.", {"type": "string", "maxLength": 256}),
    "ce_time": ("When it happened, with an offset.", {"type": "string", "format": "date-time"}),
    "ce_dataschema": ("Which schema the data keeps.", {"type": "string"}),
    "ce_partitionkey": ("The record's key.", {"type": "string"}),
    "ce_sequence": ("Counts the events of one aggregate.", {"type": "string", "pattern": "^[0-9]{1,18}$"}),
    "ce_correlationid": ("The first event of the chain.", {"type": "string"}),
    "ce_causationid": ("The event that made this one happen.", {"type": "string"}),
    "ce_recordedtime": ("When it was recorded, with an offset.", {"type": "string", "format": "date-time"}),
    "ce_replayof": ("The history that was replayed; absent on what happened for the first time.", {"type": "string"}),
    "content-type": ("How the data is written.", {"type": "string"}),
}
_REQUIRED = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time"]
_WRITTEN = ["ce_subject", "ce_recordedtime", "ce_partitionkey"]
"""What our own events have besides."""


def document(version: str) -> dict[str, Any]:
    """The document as JSON values."""
    models = event_types()
    shown = list(examples())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "aftersales",
            "version": version,
            "description": "Claims in, decisions out: what enterprise systems say to the after-sales services, and what these decided. "
            "Where the installation has a KAFKA_PREFIX, every address and group has it before its name on Kafka.",
        },
        "defaultContentType": "application/json",
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": {type: _message(model, [one for one in shown if one.type == type]) for type, model in models.items()},
            "messageTraits": _traits(),
        },
    }


def _channels() -> dict[str, Any]:
    channels = {topic.name: _channel(topic.name, f"{topic.kind.capitalize()}; kept {kept(topic)}.", topic.events) for topic in TOPICS}
    for name, topic in dead_letter_topics():
        channels[name] = _channel(name, f"What could not be handled of {topic.name}.", (DeadLetterRecorded,))
    return channels


def _channel(name: str, described: str, events: tuple[type[Event], ...]) -> dict[str, Any]:
    partitions, settings = wanted()[name]
    configuration = {"cleanup.policy": [settings["cleanup.policy"]], "retention.ms": int(settings["retention.ms"])}
    return {
        "address": name,
        "description": described,
        "messages": {event.TYPE: {"$ref": f"#/components/messages/{event.TYPE}"} for event in events},
        "bindings": {"kafka": {"topic": name, "partitions": partitions, "topicConfiguration": configuration, "bindingVersion": _BINDING}},
    }


def _operations() -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for topic in TOPICS:
        for service in topic.producers:
            if service != ENTERPRISE:
                operations[f"{service}.sends.{topic.name}"] = _operation("send", topic.name)
        for service, group in zip([name for name in topic.consumers if name != ENTERPRISE], groups(topic), strict=True):
            received = _operation("receive", topic.name)
            received["bindings"] = {"kafka": {"groupId": {"type": "string", "const": group}, "bindingVersion": _BINDING}}
            operations[f"{service}.receives.{topic.name}"] = received
    for name, topic in dead_letter_topics():
        service = next(service for service in SERVICES if topic.dead_letters(service) == name)
        operations[f"{service}.sends.{name}"] = _operation("send", name)
    return operations


def _operation(action: str, channel: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _message(model: type[Event], shown: list[Example]) -> dict[str, Any]:
    return {
        "name": model.TYPE,
        "title": model.__name__,
        "summary": " ".join((model.__doc__ or "").split()),
        "traits": [{"$ref": f"#/components/messageTraits/{_trait_of(model)}"}],
        "payload": {"$ref": (_SCHEMAS / f"{model.TYPE}.json").as_posix()},
        "examples": [{"name": example.name, "payload": example.data} for example in shown],
    }


def _trait_of(model: type[Event]) -> str:
    """What a message has in common with others: headers, and how it lies on Kafka."""
    if not is_ours(model):
        return "claim"
    return "numbered-decision" if model.TOPIC and topic_of(model).aggregate else "decision"


def _traits() -> dict[str, Any]:
    decision = {name: of for name, of in _HEADERS.items() if name != "ce_sequence"}
    return {
        "claim": _trait(decision, _REQUIRED),
        "decision": _trait(decision, [*_REQUIRED, *_WRITTEN]),
        "numbered-decision": _trait(_HEADERS, [*_REQUIRED, *_WRITTEN]),
    }


def _trait(headers: Mapping[str, tuple[str, dict[str, Any]]], required: list[str]) -> dict[str, Any]:
    properties = {name: {"description": described, **kind} for name, (described, kind) in headers.items()}
    return {
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "headers": {"type": "object", "properties": properties, "required": required},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": _BINDING}},
    }
