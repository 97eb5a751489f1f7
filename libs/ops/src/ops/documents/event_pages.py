"""One page for each topic: who writes and reads it, how long it is kept, and every event on it with its fields and an example."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, get_args

from common.contracts.dead_letters import DeadLetterRecorded
from common.contracts.event import Event
from common.contracts.fields import DecimalString, EmployeeId, ExactString, Word
from common.contracts.groups import groups_of
from common.contracts.topics import ENTERPRISE, TOPICS, Topic, dead_letter_topics
from ops.contract_files import Example, examples, schema_of
from ops.contract_gate import inlined
from ops.documents.field_meanings import meanings

Schema = Mapping[str, Any]

KINDS = {
    get_args(kind)[1].pattern: name
    for kind, name in ((EmployeeId, "id"), (Word, "word"), (DecimalString, "decimal"), (ExactString, "exact number"))
}
"""Pattern of a kind of field → the name that the index explains."""

MADE = "<!-- Made by `aftersales generate` from libs/common/src/common/contracts; do not edit. -->\n"


def pages() -> dict[str, str]:
    """File name → text, for docs/events."""
    shown: dict[str, list[Example]] = {}
    for example in examples():
        shown.setdefault(example.type, []).append(example)
    made = {f"{topic.name}.md": _page(topic, shown) for topic in TOPICS}
    return {"README.md": _index(), "dead-letters.md": _dead_letters(shown), **made}


def kept(topic: Topic) -> str:
    """How long records stay, in words."""
    if topic.compacted:
        return "compacted: the last record of each key, for ever"
    return "for ever" if topic.retention is None else f"{topic.retention // timedelta(days=1)} days"


def _index() -> str:
    lines = [
        MADE,
        "# Events",
        "",
        "What systems say to the services (**claims**), what the services decided (**decisions**), and by which **rules** the operator",
        "wants them to; one page for each topic.",
        "CloudEvents 1.0: binary mode out, binary and structured mode in.",
        "The record's key is the CloudEvents subject; order is kept for one key of one topic.",
        "Fields and words of a list may be added to any decision: a reader ignores what it does not know.",
        "The whole as AsyncAPI 3: [asyncapi.json](../asyncapi.json).",
        "With a `KAFKA_PREFIX`, every topic and group here has it before its name on Kafka: `aftersales topics list` prints them.",
        "",
        "An *id* has up to 96 letters, digits and `._:@-`; a *word* up to 64 letters (Chinese ones too), digits and `._:/()+-`;",
        "an *instant* is RFC 3339 with an offset; a *decimal* and an *exact number* (`347/4`) are text, so that nothing rounds them.",
        "",
        "| topic | kind | key | written by | read by | kept | partitions | events |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for topic in TOPICS:
        cells = [f"[{topic.name}]({topic.name}.md)", topic.kind, f"`{topic.key}`", _parties(topic.producers), _parties(topic.consumers)]
        lines.append(_row(*cells, kept(topic), str(topic.partitions), str(len(topic.events))))
    lines += ["", "What cannot be read, or waited for too long, goes to [dead letters](dead-letters.md).", ""]
    return "\n".join(lines)


def _page(topic: Topic, shown: Mapping[str, list[Example]]) -> str:
    writers = {
        "claims": "an enterprise system says what happened",
        "decisions": "a service says what it decided",
        "rules": "the operator says by which rules",
    }[topic.kind]
    lines = [
        MADE,
        f"# {topic.name}",
        "",
        f"{topic.kind.capitalize()}: {writers}.",
        "",
        f"- **Key** and CloudEvents subject: `data.{topic.key}`",
        f"- **Written by** {_parties(topic.producers)}",
        f"- **Read by** {_parties(topic.consumers)}" + "".join(f" (group `{group}`)" for group in groups(topic)),
        f"- **Kept** {kept(topic)}, in {topic.partitions} partition{'s' if topic.partitions > 1 else ''}: {topic.why_kept}",
    ]
    if topic.aggregate:
        lines.append(
            f"- **Numbered**: `ce_sequence` counts the events of one `{topic.key}` from 1; an answer about none that exists has none"
        )
    services = [service for service in topic.consumers if service != ENTERPRISE]
    if services:
        lines.append("- **Dead letters** " + ", ".join(f"`{topic.dead_letters(service)}`" for service in services))
    if topic.rejected is not None:
        lines.append(f"- **A claim that a rule refuses** is answered by `{topic.rejected.TYPE}`")
    for event in topic.events:
        lines += ["", *_event(event, shown)]
    return "\n".join([*lines, ""])


def _dead_letters(shown: Mapping[str, list[Example]]) -> str:
    lines = [
        MADE,
        "# Dead letters",
        "",
        "Each topic that a service reads has a topic `<topic>-<service>-dlq`, so that a sender sees what was wrong:",
        "the same id sent again with good content is the repair, and closes the letter.",
        "",
        "| dead letters | of | read by |",
        "|---|---|---|",
        *(_row(f"`{name}`", f"[{topic.name}]({topic.name}.md)", "the enterprise") for name, topic in dead_letter_topics()),
        "",
        *_event(DeadLetterRecorded, shown),
        "",
    ]
    return "\n".join(lines)


def groups(topic: Topic) -> list[str]:
    """The consumer groups of our services on a topic (decisions 18)."""
    own = [service for service in topic.consumers if service != ENTERPRISE]
    return [group for service in own for group, topics in groups_of(service).items() if topic in topics]


def _event(event: type[Event], shown: Mapping[str, list[Example]]) -> Iterator[str]:
    schema = inlined(schema_of(event))
    meaning = meanings(event)
    yield f"## {event.TYPE}"
    yield ""
    yield " ".join((event.__doc__ or "").split())
    yield ""
    yield "| field | type | required | meaning |"
    yield "|---|---|---|---|"
    for name, field in schema["properties"].items():
        needed = "yes" if name in schema.get("required", ()) else f"no, `{json.dumps(field.get('default'), ensure_ascii=False)}`"
        yield _row(f"`{name}`", _kind(field), needed, meaning.get(name, ""))
    for example in shown.get(event.TYPE, ())[-1:]:
        yield ""
        yield f"Example, key `{example.key}`:"
        yield ""
        yield "```"
        yield from (f"{name}: {value}" for name, value in example.headers.items())
        yield ""
        yield json.dumps(example.data, ensure_ascii=False, indent=2)
        yield "```"


def _kind(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(branch) for branch in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    match schema.get("type"):
        case "array":
            return f"list of {_kind(schema.get('items', {}))}"
        case "object" if "properties" in schema:
            return "object of " + ", ".join(f"`{name}`" for name in schema["properties"])
        case "object" if schema.get("additionalProperties") is True:
            return "object"
        case "object":
            return f"object of {_kind(schema['additionalProperties'])} by name"
        case "string" if schema.get("format") == "date-time":
            return "instant"
        case "string":
            pattern = schema.get("pattern")
            return "text" if pattern is None else KINDS.get(pattern, f"text `{pattern}`")
        case "integer":
            limits = [f"{sign} {schema[name]}" for name, sign in (("minimum", "≥"), ("maximum", "≤")) if name in schema]
            return " ".join(["whole number", *limits])
        case other:
            return str(other)


def _parties(parties: tuple[str, ...]) -> str:
    return ", ".join("the enterprise" if party == ENTERPRISE else party for party in parties)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
