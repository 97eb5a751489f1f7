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
    grades,
    kpi_facts,
    org,
    ratings,
    service_requests,
    sla_clocks,
    work_orders,
)
from common.contracts.claims import appraisal as appraisal_claims
from common.contracts.claims import complaints as complaint_claims
from common.contracts.claims import dispatch as dispatch_claims
from common.contracts.claims import intake as intake_claims
from common.contracts.claims import operator as operator_claims
from common.contracts.event import ClaimRejected, Event

SERVICES = ("intake", "dispatch", "complaints", "appraisal")
ENTERPRISE = "enterprise"
"""Whoever is outside: CRM, hotline, the technician's app, HR, payroll."""


def source_of(service: str) -> str:
    """The CloudEvents source of everything that a service of ours says: `/aftersales/dispatch`."""
    return f"/aftersales/{service}"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `key` is the field of the event that is the record's key; `retention` None keeps records for ever."""

    name: str
    kind: Literal["claims", "decisions", "rules"]
    key: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    partitions: int = 6
    retention: timedelta | None = timedelta(days=30)
    compacted: bool = False
    aggregate: str = ""
    """The aggregates whose ids are its keys, as the producer's table is named; each of their events carries its number, `sequence`."""
    bulk: str = ""
    """Set where each reader takes this topic in large batches, by a group of its own: `<service>-<bulk>`."""

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
        return tuple(source_of(service) for service in self.producers if service != ENTERPRISE)

    def dead_letters(self, service: str) -> str:
        """The topic that takes what `service` could not read of this one."""
        return f"{self.name}-{service}-dlq"


_YEARS = timedelta(days=3 * 366)

TOPICS: tuple[Topic, ...] = (
    Topic("service-request-claims", "claims", "request_id", (ENTERPRISE,), ("intake",)),
    Topic("work-order-claims", "claims", "work_order_id", (ENTERPRISE,), ("dispatch",)),
    Topic("complaint-claims", "claims", "complaint_id", (ENTERPRISE,), ("complaints",)),
    Topic("org-claims", "claims", "org_id", (ENTERPRISE,), ("appraisal",), partitions=1),
    Topic("rating-claims", "claims", "appraisee", (ENTERPRISE,), ("appraisal",)),
    Topic("kpi-fact-claims", "claims", "case_id", (ENTERPRISE,), ("appraisal",)),
    Topic("cycle-claims", "claims", "cycle_key", (ENTERPRISE,), ("appraisal",), partitions=1),
    Topic("calendars", "rules", "calendar", (ENTERPRISE,), SERVICES, partitions=1, retention=None, compacted=True),
    Topic("sla-policies", "rules", "policy", (ENTERPRISE,), SERVICES, partitions=1, retention=None, compacted=True),
    Topic("service-requests", "decisions", "request_id", ("intake",), ("dispatch", "complaints", ENTERPRISE), aggregate="service_requests"),
    Topic("work-orders", "decisions", "work_order_id", ("dispatch",), (ENTERPRISE,), aggregate="work_orders"),
    Topic("complaints", "decisions", "complaint_id", ("complaints",), (ENTERPRISE,), aggregate="complaints"),
    Topic("sla-clocks", "decisions", "clock_id", SERVICES, (ENTERPRISE,)),
    Topic("kpi-facts", "decisions", "case_id", SERVICES, ("appraisal",), partitions=12, retention=None, bulk="facts"),
    Topic("org-snapshots", "decisions", "org_id", ("appraisal",), (ENTERPRISE,), partitions=1, retention=_YEARS),
    Topic("ratings", "decisions", "rating_id", ("appraisal",), (ENTERPRISE,)),
    Topic("cycles", "decisions", "cycle_key", ("appraisal",), (ENTERPRISE,), partitions=1, retention=None, aggregate="cycles"),
    Topic("grade-results", "decisions", "grade_key", ("appraisal",), (ENTERPRISE,), retention=None, compacted=True),
    Topic("grade-history", "decisions", "grade_key", ("appraisal",), (ENTERPRISE,), retention=None),
    Topic("grade-outcomes", "decisions", "grade_key", ("appraisal",), (ENTERPRISE,), retention=None),
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
_MODULES = (
    intake_claims,
    dispatch_claims,
    complaint_claims,
    appraisal_claims,
    operator_claims,
    service_requests,
    work_orders,
    complaints,
    sla_clocks,
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
