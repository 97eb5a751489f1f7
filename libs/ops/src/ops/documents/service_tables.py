"""What stands in each service's README between two marks: what it reads, decides, keeps and promises, from its contracts and tables."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from common.contracts.topics import SERVICES, Topic, consumed_by, produced_by
from common.runtime.document_handlers import DOCUMENT_HANDLERS
from common.runtime.party_handlers import PARTY_HANDLERS
from common.sla.policy import load_policy
from ops.documents import metrics_page

BEGIN = "<!-- Made by `aftersales generate` from here on; do not edit. -->"
END = "<!-- Made up to here. -->"


def readme(service: str) -> Path:
    """Where the README of a service is in a checkout."""
    return Path(f"services/{service}/README.md")


def with_tables(text: str, service: str) -> str:
    """The README with its tables as they are now; ValueError where it does not have the two marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme(service)} has no place for its tables, between {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{tables(service)}\n{END}{after}"


def tables(service: str) -> str:
    """What a service reads, decides, keeps, promises and measures, as tables."""
    parts = [_reads(service), _decides(service), _keeps(service), _promises(service), _measures(service)]
    return "\n".join(line for part in parts for line in part)


def _reads(service: str) -> Iterator[str]:
    handlers = {**import_module(f"{service}.handlers").HANDLERS, **DOCUMENT_HANDLERS, **PARTY_HANDLERS}
    yield from ("## Reads", "", "| topic | event | what follows |", "|---|---|---|")
    for topic in consumed_by(service):
        for event in topic.events:
            if event in handlers:
                yield _row(_link(topic), f"`{event.TYPE}`", _first_line(handlers[event].use_case))
        if topic.bulk:
            yield _row(_link(topic), *(f"`{event.TYPE}`" for event in topic.events), _first_line(topic.events[0]))
    for (table, reason), wake in import_module(f"{service}.handlers").HANDLERS.wakes.items():
        yield _row("time", f"`{table}` are woken for `{reason}`", _first_line(wake.use_case))
    answers = [f"`{topic.rejected.TYPE}`" for topic in consumed_by(service) if topic.rejected is not None]
    letters = [f"`{topic.dead_letters(service)}`" for topic in consumed_by(service)]
    yield from (
        "",
        f"A claim that a rule refuses is answered by {', '.join(answers)}.",
        f"What cannot be handled goes to {', '.join(letters)}.",
        "",
    )


def _decides(service: str) -> Iterator[str]:
    yield from ("## Decides", "", "| topic | event | meaning |", "|---|---|---|")
    own = [topic for topic in produced_by(service) if topic.producers == (service,)]
    for topic in own:
        for event in topic.events:
            yield _row(_link(topic), f"`{event.TYPE}`", _first_line(event))
    shared = [_link(topic) for topic in produced_by(service) if topic not in own]
    yield from ("", f"Besides, as other services do: {', '.join(shared)}.", "")


def _keeps(service: str) -> Iterator[str]:
    names = [f"`{name}`" for name in import_module(f"{service}.repository").UnitOfWork.tables()]
    yield from ("## Keeps", "", f"Aggregates, a table for each kind: {', '.join(names)}.", "")


def _promises(service: str) -> Iterator[str]:
    policy = load_policy(service)
    if not policy.stages:
        yield from ("## Promises", "", "None by itself; a policy that is activated may promise something.", "")
        return
    yield from ("## Promises", "", "| clock | when | target in working time | calendar | indicators |", "|---|---|---|---|---|")
    for stage, rules in policy.document["stages"].items():
        for rule in rules:
            asked = [f"{name} {value}" for name, value in rule.get("when", {}).items()]
            when = ", ".join(asked) or ("otherwise" if len(rules) > 1 else "always")
            yield _row(f"`{stage}`", when, target_words(rule["target"]), str(rule["calendar"]), ", ".join(rule.get("indicators", ())))
    traits = import_module(f"{service}.repository").UnitOfWork.traits
    yield from ("", f"Of a clock the first line that fits counts. They are data, `policy.yaml`, and may ask for {', '.join(traits)}.", "")


def target_words(target: Mapping[str, Any]) -> str:
    """A target in a few words: "30 min", "the end of day 3", "17:00 of day 0, cut-off 16:00"."""
    if "working_seconds" in target:
        minutes = int(target["working_seconds"]) / 60
        return f"{minutes:g} min" if minutes < 60 else f"{minutes / 60:g} h"
    days = f"day {target['working_days']}"
    if "by" in target or "cut_off" in target:
        cut_off = f", cut-off {target['cut_off']}" if "cut_off" in target else ""
        return f"{target.get('by', 'the end')} of {days}{cut_off}"
    return f"the end of {days}" if target.get("meaning") == "end_of_day" else days


def _measures(service: str) -> Iterator[str]:
    own = [metric for metric in metrics_page.metrics() if metric.services != SERVICES and service in metric.services]
    yield from ("## Measures", "", "What every service does: [docs/metrics.md](../../docs/metrics.md).")
    yield from (f"And `{metric.name}`: {metric.meaning}" for metric in own)
    yield ""


def _first_line(thing: object) -> str:
    """The first sentence of what is said of a use case or an event."""
    return " ".join((thing.__doc__ or "").strip().partition("\n\n")[0].split())


def _link(topic: Topic) -> str:
    return f"[{topic.name}](../../docs/events/{topic.name}.md)"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
