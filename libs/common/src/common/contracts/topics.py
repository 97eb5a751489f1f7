"""The topics table: each topic with its key, who writes, who reads, and how long it is kept.

What travels on a topic are the events whose classes name it. Topics are created from the table, documents generated from it, access
lists derived from it, and tests forbid orphans in it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from common.contracts import (
    complaints,
    cycles,
    documents,
    grades,
    kpi_facts,
    org,
    ratings,
    service_requests,
    sla_clocks,
    sla_months,
    work_orders,
)
from common.contracts.claims import appraisal as appraisal_claims
from common.contracts.claims import complaints as complaint_claims
from common.contracts.claims import dispatch as dispatch_claims
from common.contracts.claims import intake as intake_claims
from common.contracts.event import ClaimRejected, Event

SERVICES = ("intake", "dispatch", "complaints", "appraisal")
READ_FIRST = "documents"
"""The group of the topics that a service has to have read before it decides anything: the documents in force, and who is what."""
ENTERPRISE = "enterprise"
"""Whoever is outside: CRM, hotline, the technician's app, HR, payroll."""


def source_of(service: str) -> str:
    """The CloudEvents source of everything that a service of ours says: `/aftersales/dispatch`."""
    return f"/aftersales/{service}"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `key` is the field of the event that is the record's key; `retention` None keeps records for ever.

    What a service reads is kept for ever: clocks and grades are made from it again when their databases are gone (ADR 0026).
    """

    name: str
    kind: Literal["claims", "decisions", "rules"]
    key: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    partitions: int = 6
    retention: timedelta | None = None
    compacted: bool = False
    aggregate: str = ""
    """The aggregates whose ids are its keys, as the producer's table is named; each of their events carries its number, `sequence`."""
    group: str = ""
    """Set where each reader takes this topic by a group of its own: `<service>-<group>`."""
    bulk: bool = False
    """Whether its readers take it in large batches."""

    @property
    def why_kept(self) -> str:
        """Why its records are kept as long as they are."""
        return _WHY_KEPT[self.name]

    @property
    def events(self) -> tuple[type[Event], ...]:
        """The events that travel on it, in the order in which they are defined."""
        return _EVENTS_ON[self.name]

    @property
    def rejected(self) -> type[ClaimRejected] | None:
        """How a claim of this topic is answered when a rule refuses it."""
        return _ANSWERS_TO.get(self.name)

    def key_of(self, event: Event) -> str:
        """The record's key for `event`, which is also its CloudEvents subject."""
        return str(getattr(event, self.key))

    @property
    def sources(self) -> tuple[str, ...]:
        """The CloudEvents sources of those of us who write to it; on a topic of decisions no other one is believed."""
        return _SOURCES[self.name]

    def dead_letters(self, service: str) -> str:
        """The topic that takes what `service` could not read of this one."""
        return f"{self.name}-{service}-dlq"


_MONTH = timedelta(days=30)

TOPICS: tuple[Topic, ...] = (
    Topic("service-request-claims", "claims", "request_id", (ENTERPRISE,), ("intake",)),
    Topic("work-order-claims", "claims", "work_order_id", (ENTERPRISE,), ("dispatch",)),
    Topic("complaint-claims", "claims", "complaint_id", (ENTERPRISE,), ("complaints",)),
    Topic("org-claims", "claims", "org_id", (ENTERPRISE,), ("appraisal",), partitions=1, group=READ_FIRST),
    Topic("rating-claims", "claims", "appraisee", (ENTERPRISE,), ("appraisal",)),
    Topic("kpi-fact-claims", "claims", "case_id", (ENTERPRISE,), ("appraisal",)),
    Topic("cycle-claims", "claims", "cycle_key", (ENTERPRISE,), ("appraisal",), partitions=1),
    Topic("reference-documents", "rules", "document", (ENTERPRISE, *SERVICES), SERVICES, partitions=1, group=READ_FIRST),
    Topic("service-requests", "decisions", "request_id", ("intake",), ("dispatch", "complaints", ENTERPRISE), aggregate="service_requests"),
    Topic("work-orders", "decisions", "work_order_id", ("dispatch",), ("intake", "complaints", ENTERPRISE), aggregate="work_orders"),
    Topic("complaints", "decisions", "complaint_id", ("complaints",), ("intake", ENTERPRISE), aggregate="complaints"),
    Topic("sla-clocks", "decisions", "clock_id", SERVICES, (ENTERPRISE,), retention=_MONTH),
    Topic("sla-months", "decisions", "month_key", SERVICES, (ENTERPRISE,), partitions=1),
    Topic("kpi-facts", "decisions", "case_id", SERVICES, ("appraisal",), partitions=12, group="facts", bulk=True),
    Topic("kpi-fact-answers", "decisions", "case_id", ("appraisal",), (ENTERPRISE,), retention=_MONTH),
    Topic(
        "organisations",
        "decisions",
        "org_id",
        ("appraisal",),
        (*SERVICES[:3], ENTERPRISE),
        partitions=1,
        aggregate="organisations",
        group=READ_FIRST,
    ),
    Topic("ratings", "decisions", "rating_id", ("appraisal",), (ENTERPRISE,), retention=_MONTH),
    Topic("cycles", "decisions", "cycle_key", ("appraisal",), (ENTERPRISE,), partitions=1, aggregate="cycles"),
    Topic("grade-results", "decisions", "grade_key", ("appraisal",), (ENTERPRISE,), compacted=True),
    Topic("grade-history", "decisions", "grade_key", ("appraisal",), (ENTERPRISE,)),
    Topic("grade-outcomes", "decisions", "grade_key", ("appraisal",), (ENTERPRISE,)),
)

_WHY_KEPT = {
    "service-request-claims": "requests and their clocks are made from them again",
    "work-order-claims": "work orders and their clocks are made from them again",
    "complaint-claims": "complaints and their clocks are made from them again",
    "org-claims": "a grade rests on who belonged where at its time",
    "rating-claims": "a grade rests on them, and a score leaves appraisal on no other topic",
    "kpi-fact-claims": "what other systems measured is made a fact from them again",
    "cycle-claims": "the versions of a grade are those of the closes that were asked for",
    "reference-documents": "whatever is decided rests on the version that was in force at its time",
    "service-requests": "dispatch and complaints begin their cases from them, and knew of them when they were appended",
    "work-orders": "other services may read them as facts of their own, known when they were appended",
    "complaints": "other services may read them as facts of their own, known when they were appended",
    "sla-clocks": "no service reads it, and a service that is rebuilt says all of it again",
    "sla-months": "what management was told of a month is never taken away, and its last correction may come years later",
    "kpi-facts": "a grade is computed from them, as they were known when they were appended",
    "organisations": "every service asks it who was what, also of what happened years ago",
    "kpi-fact-answers": "no service reads it, and a service that is rebuilt says all of it again",
    "ratings": "no service reads it, and rating-claims hold the same",
    "cycles": "tells of every grade as of when, and up to which record, it was computed",
    "grade-results": "whoever pays or shows a grade reads the current one here",
    "grade-history": "what a person was told is never taken away",
    "grade-outcomes": "what a person was told is never taken away",
}

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
_MODULES = (
    intake_claims,
    dispatch_claims,
    complaint_claims,
    appraisal_claims,
    documents,
    service_requests,
    work_orders,
    complaints,
    sla_clocks,
    sla_months,
    kpi_facts,
    org,
    ratings,
    cycles,
    grades,
)


def defined() -> Iterator[type[Event]]:
    """Every event class that travels on a topic, in the order of definition."""
    for module in _MODULES:
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, Event) and found.TYPE and found.__module__ == module.__name__:
                yield found


EVENTS: dict[str, type[Event]] = {event.TYPE: event for event in defined()}
_EVENTS_ON: dict[str, tuple[type[Event], ...]] = {name: tuple(one for one in EVENTS.values() if name == one.TOPIC) for name in BY_NAME}
_SOURCES: dict[str, tuple[str, ...]] = {
    topic.name: tuple(source_of(service) for service in topic.producers if service != ENTERPRISE) for topic in TOPICS
}
_ANSWERS_TO: dict[str, type[ClaimRejected]] = {one.ANSWERS: one for one in EVENTS.values() if issubclass(one, ClaimRejected)}


def topic_of(event: type[Event]) -> Topic:
    """The topic on which events of this class travel; `LookupError` for a class that names none of the table."""
    return BY_NAME[event.TOPIC]


def misplaced(events: Iterable[type[Event]]) -> Iterator[str]:
    """What is wrong with the places of event classes, a sentence each; nothing when each is on a topic whose key it has."""
    seen: dict[str, type[Event]] = {}
    for event in events:
        topic = BY_NAME.get(event.TOPIC)
        if (other := seen.setdefault(event.TYPE, event)) is not event:
            yield f"{event.__name__} and {other.__name__} have one type, {event.TYPE}"
        if topic is None:
            named = f"the topic {event.TOPIC!r}, which is not in the topics table" if event.TOPIC else "no topic"
            yield f"{event.__name__} ({event.TYPE}) names {named}: expected topic=… in its class, one of {', '.join(BY_NAME)}"
        elif topic.key not in event.model_fields:
            yield f"{event.__name__} ({event.TYPE}) travels on {topic.name}, whose key is {topic.key}, and has no such field"


def consumed_by(service: str) -> tuple[Topic, ...]:
    """The topics that `service` reads."""
    return tuple(topic for topic in TOPICS if service in topic.consumers)


def produced_by(service: str) -> tuple[Topic, ...]:
    """The topics to which `service` writes what it decides."""
    return tuple(topic for topic in TOPICS if service in topic.producers)


def dead_letter_topics() -> Iterator[tuple[str, Topic]]:
    """Every dead-letter topic by name, with the topic that it belongs to."""
    for topic in TOPICS:
        for service in topic.consumers:
            if service != ENTERPRISE:
                yield topic.dead_letters(service), topic
