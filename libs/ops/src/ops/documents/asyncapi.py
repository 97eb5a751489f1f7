"""The AsyncAPI 3.0 document of the whole platform, from the topics table: FastStream knows one service's topics, and no events."""

from typing import Any

from common.contracts.dead_letters import DeadLetterRecorded
from common.contracts.event import Event
from common.contracts.topics import ENTERPRISE, SERVICES, TOPICS, dead_letter_topics
from common.kafka.topic_admin import wanted
from ops.contract_files import Example, event_types, examples, is_ours, schema_of
from ops.contract_gate import inlined
from ops.documents.event_pages import groups, kept

_BINDING = "0.5.0"
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ce_specversion": ("Always 1.0.", {"type": "string", "const": "1.0"}),
    "ce_id": ("With ce_source the identity of the event: the same pair is the same event.", {"type": "string", "maxLength": 256}),
    "ce_source": ("Who says it: `/crm`, `/aftersales/complaints`.", {"type": "string", "maxLength": 256}),
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
        "components": {"messages": {type: _message(model, [one for one in shown if one.type == type]) for type, model in models.items()}},
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
    schema = inlined(schema_of(model))
    del schema["$id"], schema["$schema"]
    return {
        "name": model.TYPE,
        "title": model.__name__,
        "summary": " ".join((model.__doc__ or "").split()),
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "headers": _headers(model),
        "payload": schema,
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": _BINDING}},
        "examples": [{"name": example.name, "headers": example.headers, "payload": example.data} for example in shown],
    }


def _headers(model: type[Event]) -> dict[str, Any]:
    properties = {name: {"description": described, **kind} for name, (described, kind) in _HEADERS.items()}
    properties["ce_type"] = {"type": "string", "const": model.TYPE}
    required = [*_REQUIRED, "ce_subject", "ce_recordedtime", "ce_partitionkey"] if is_ours(model) else _REQUIRED
    return {"type": "object", "properties": properties, "required": required}
