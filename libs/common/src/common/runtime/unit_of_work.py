"""What the use case of one event stages: loaded aggregates in, changes out, and no I/O."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Protocol

from common.contracts.cause import Cause
from common.contracts.event import Claim, Event
from common.contracts.kpi_facts import fact_of
from common.contracts.topics import topic_of
from common.kernel.clock_events import ClockEvent
from common.kernel.clocks import Clocks
from common.kernel.errors import Refused, TooEarly
from common.kernel.ids import derived_id
from common.kernel.observations import Observation, changes
from common.kernel.parties import Change, Organisation
from common.kernel.reference import Document, Documents
from common.sla.clock_book import ClockBook
from common.sla.policy import TRAITS
from common.sla.reconcile import Fact
from common.sla.rulebook import Rulebook
from common.store.aggregates import Aggregates


class Loaded(Protocol):
    """What a unit of work sees of its transaction: whose it is, what is loaded, and the clocks with the rules that they are under."""

    @property
    def service(self) -> str: ...

    @property
    def clocks(self) -> ClockBook: ...

    @property
    def documents(self) -> Documents: ...

    @property
    def parties(self) -> Organisation: ...

    def held(self, key: tuple[str, str]) -> Any: ...


class UnitOfWork:
    """Loaded aggregates in, staged changes out; no I/O. One of these serves one event and is thrown away when the event fails."""

    traits: ClassVar[tuple[str, ...]] = TRAITS
    """What the service's cases have for its SLA policies to ask for; a service with clocks names its own."""

    @classmethod
    def tables(cls) -> dict[str, Aggregates[Any]]:
        """Every kind of aggregate that the service keeps, by the name of its table."""
        return {found.name: found for found in vars(cls).values() if isinstance(found, Aggregates)}

    @classmethod
    def named(cls, ref: str) -> tuple[Aggregates[Any], str] | None:
        """What `complaints:C1` refers to; None for a reference to no aggregate of the service (a parked `key:…`)."""
        table, _, id = ref.partition(":")
        found = cls.tables().get(table)
        return None if found is None else (found, id)

    def __init__(self, transaction: Loaded, cause: Cause) -> None:
        self._transaction = transaction
        self.cause = cause
        self.early: TooEarly | None = None
        self.changes: dict[tuple[str, str], tuple[Aggregates[Any], Any, bool]] = {}
        self.outgoing: list[tuple[Event, datetime]] = []
        self.facts: list[Fact] = []
        self.clock_events: list[tuple[str, str, ClockEvent]] = []
        self.wake_ups: list[tuple[str, str, datetime | None]] = []
        self.document_records: list[Document] = []
        self.organisation_changes: list[Change] = []

    @property
    def service(self) -> str:
        """Whose unit of work it is."""
        return self._transaction.service

    @property
    def documents(self) -> Documents:
        """The reference documents that the service has: `uow.documents.at(TRIGGERS, event.time)` is what they say at an instant."""
        return self._transaction.documents

    @property
    def parties(self) -> Organisation:
        """Who is what, where and below whom, as far as the service knows by now."""
        return self._transaction.parties

    @property
    def rulebook(self) -> Rulebook:
        """The policies and calendars among them, as clocks count by them."""
        return self._transaction.clocks.rulebook

    def clocks_of(self, ref: str) -> dict[str, datetime]:
        """Since when each clock of an aggregate runs, by stage; `ref` names it as `complaints:C1`."""
        return {stage: clock.ledger.started.at for stage, clock in self._transaction.clocks.clocks.get(ref, {}).items()}

    def staged(self, aggregates: Aggregates[Any], id: str) -> Any:
        """The newest state of one aggregate."""
        key = (aggregates.name, id)
        if key in self.changes:
            return self.changes[key][1]
        return self._transaction.held(key).value

    def stage(self, aggregates: Aggregates[Any], aggregate: Any, *, new: bool) -> None:
        """Stages one aggregate; what it said about its clocks is taken off it."""
        key = (aggregates.name, aggregate.id)
        exists = self.staged(aggregates, aggregate.id) is not None
        if exists is new:
            raise LookupError(f"{aggregates.name}: {'added twice' if new else 'saved before it was added'}")
        clocks = getattr(aggregate, "clocks", None)
        if isinstance(clocks, Clocks) and clocks.entries:
            self.clock_events += [(aggregates.ref(aggregate.id), stage, event) for stage, event in clocks.entries]
            aggregate = replace(aggregate, clocks=Clocks())
        self.changes[key] = (aggregates, aggregate, new or (key in self.changes and self.changes[key][2]))

    def wake(self, aggregates: Aggregates[Any], id: str, reason: str, at: datetime) -> None:
        """Wakes an aggregate at an instant for a reason (`on_wake`), in place of the instant that was set for this reason before."""
        self._set_wake_up(aggregates, id, reason, at)

    def cancel_wake(self, aggregates: Aggregates[Any], id: str, reason: str) -> None:
        """Takes back the wake-up that was set for a reason, if there is one."""
        self._set_wake_up(aggregates, id, reason, None)

    def _set_wake_up(self, aggregates: Aggregates[Any], id: str, reason: str, at: datetime | None) -> None:
        if self.staged(aggregates, id) is None:
            raise LookupError(f"{aggregates.name}: a wake-up was set before it was added")
        self.wake_ups.append((aggregates.ref(id), reason, at))

    def publish(self, event: Event, *, at: datetime | None = None) -> None:
        """Stages an event of ours; `at` is when it happened, by default the time of the event that caused it."""
        self.outgoing.append((event, at or self.cause.time))

    def observe(self, case_id: str, was: Sequence[Observation], now: Sequence[Observation]) -> None:
        """Stages the facts of a case that are not its clocks', given what it had to say before: each change, and what is taken back."""
        for one in changes(was, now):
            event = fact_of(case_id, one)
            # from what it says and not from what became known last, so that the last fact is the same in every order of arrival
            parts = (event.indicator, event.subject, event.occurrence, event.revision, event.numerator, event.denominator)
            id = derived_id(one.at, self.service, event.TYPE, case_id, *parts)
            self.facts.append(Fact(event, one.at, id, self.cause.replay_of))

    def reject(self, claim: Claim, refused: Refused) -> None:
        """Answers a claim that a rule refuses; the claim counts as applied."""
        answer = topic_of(type(claim)).rejected
        if answer is None:
            raise LookupError(f"no answer is declared for a refused {claim.TYPE}")
        own = set(answer.model_fields) - {"claim_id", "claim_type", "rule", "field", "was"}
        self.publish(
            answer(
                claim_id=claim.envelope.id,
                claim_type=claim.TYPE,
                rule=refused.rule,
                field=refused.field,
                was=refused.was,
                **{name: getattr(claim, name) for name in own},
            )
        )

    def wait(self, early: TooEarly) -> None:
        """Lets the event wait for an earlier one; what was staged is thrown away."""
        self.early = early
