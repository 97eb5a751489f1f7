"""The page of all metrics: name, type, labels and meaning from the registries, who looks and what they ask from here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from common.contracts.topics import SERVICES
from common.runtime.metrics import ChassisMetrics

MADE = "<!-- Made by `aftersales generate` from the registries of the services; do not edit. -->\n"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as Prometheus shows it."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at a metric, and the question of 3 a.m. that it answers."""

    who: str
    question: str


READERS = {
    "aftersales_sla_outcomes_total": Reader("service managers", "Are more promises being broken than yesterday, and at which stage?"),
    "aftersales_sla_elapsed_ratio": Reader("service managers", "Are we only just in time, so that one bad day breaks the promise?"),
    "aftersales_sla_compliance_ratio": Reader("management", "What share of the promises of the last day, week, month did we keep?"),
    "aftersales_sla_objective_ratio": Reader("management", "What share of the promises of this month have we set ourselves to keep?"),
    "aftersales_sla_month_closed": Reader("service managers", "How many promises were kept and broken since the first of the month?"),
    "aftersales_sla_budget_remaining": Reader("service managers", "How many more promises may break before the month is lost?"),
    "aftersales_sla_clocks_open": Reader("dispatchers", "How much promised work is still open, and where does it pile up?"),
    "aftersales_events_consumed_total": Reader("operations", "Does anything come in, and what becomes of it?"),
    "aftersales_dead_letters_open": Reader("operations, the sender's team", "Who sends what we cannot read, and has somebody repaired it?"),
    "aftersales_outbox_oldest_unpublished_seconds": Reader("operations", "Have decisions been taken that nobody hears of?"),
    "aftersales_outbox_refused": Reader("developers", "Have we decided something that Kafka will not take?"),
    "aftersales_timer_oldest_due_seconds": Reader("operations", "Do breaches, or planned closes, go unnoticed because timers do not fire?"),
    "aftersales_consumer_lag_records": Reader("operations", "Are we behind, on which partition, and does anybody read it?"),
    "aftersales_log_holes_open": Reader("operations", "Did Kafka lose records before we read them, so that timers and cycles wait?"),
    "aftersales_event_end_to_end_seconds": Reader("operations", "How long after it happened does anybody know?"),
    "aftersales_partitions_halted": Reader("developers", "Did a defect of ours stop a partition?"),
    "aftersales_build_info": Reader("operations", "Which version runs, and does each replica run the same?"),
    "aftersales_kafka_prefix_info": Reader("operations", "Which of the installations on this cluster is it?"),
    "aftersales_grades_total": Reader("HR", "Were the grades of this cycle published, and do they look like last time's?"),
}


def page() -> str:
    """The page; `LookupError` names a metric of which nobody has said who looks at it."""
    lines = [
        MADE,
        "# Metrics",
        "",
        "Every number that a service shows on `/metrics`.",
        "Region, priority and person are never labels: `aftersales sla report` breaks down by them.",
        "Gauges that come from the database are shown by one replica of each service only, so a sum over replicas is right.",
        "",
        "| metric | type | labels | services | meaning | who looks | at 3 a.m. it answers |",
        "|---|---|---|---|---|---|---|",
    ]
    for metric in metrics():
        if metric.name not in READERS:
            raise LookupError(f"{metric.name}: say in {__name__} who looks at it and what it answers")
        reader = READERS[metric.name]
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        services = "all" if metric.services == SERVICES else ", ".join(metric.services)
        cells = (f"`{metric.name}`", metric.type, labels, services, metric.meaning, reader.who, reader.question)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def metrics() -> list[Metric]:
    """Every metric of every service, by name."""
    found: dict[str, Metric] = {}
    for metric in (metric for service in SERVICES for metric in _of(service)):
        before = found.get(metric.name)
        found[metric.name] = metric if before is None else replace(before, services=before.services + metric.services)
    return [found[name] for name in sorted(found)]


def _of(service: str) -> Iterator[Metric]:
    registry = CollectorRegistry()
    ChassisMetrics(service, "0", (), registry)
    if find_spec(f"{service}.metrics") is not None:
        import_module(f"{service}.metrics").declare(registry)
    for collector in registry._collector_to_names:  # no public way leads to the label names of a metric without samples
        if isinstance(collector, MetricWrapperBase):
            yield _metric(collector._name, str(collector._type), collector._labelnames, collector._documentation, service)
            continue
        for family in collector.collect():
            yield _metric(family.name, family.type, getattr(family, "_labelnames", ()), family.documentation, service)


def _metric(name: str, type: str, labels: Iterable[str], meaning: str, service: str) -> Metric:
    return Metric(f"{name}_total" if type == "counter" else name, type, tuple(labels), meaning, (service,))
