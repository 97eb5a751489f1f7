"""The ledger of a clock, and its fold under the rulebook: the same for every order in which events and rules became known (ADR 0007)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NamedTuple

from common.kernel.clock_events import KINDS, Changed, ClockEvent, Excused, Extended, Paused, Restarted, Started
from common.kernel.clock_state import ENDED
from common.kernel.sla_clock import ClockState, Course
from common.sla.courses import chances, is_open, on_calendars, without_windows
from common.sla.excusing import Excuse, excuses_of, touching, windows_in
from common.sla.policy import Policy, Promise
from common.sla.rulebook import CalendarVersion, PolicyVersion, Rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleUsed:
    """A trail in the ledger: from when on a rule applies to the clock, `policy complaints@2` or `calendar cn@2027`. It moves no time."""

    at: datetime
    id: str = ""
    sequence: int | None = None
    rule: str


LedgerEvent = ClockEvent | RuleUsed

LEDGER_KINDS: Mapping[str, type[LedgerEvent]] = {**KINDS, "rule_used": RuleUsed}
"""What each event of a ledger is called where it is stored."""

LEDGER_NAMES: Mapping[type[LedgerEvent], str] = {kind: name for name, kind in LEDGER_KINDS.items()}


class Ledger(NamedTuple):
    """The events of one clock, in the order in which they became known. The first is its start, with the traits of the case."""

    stage: str
    events: tuple[LedgerEvent, ...]

    @property
    def started(self) -> Started:
        """Its start."""
        first = self.events[0]
        assert isinstance(first, Started)
        return first

    def and_event(self, event: LedgerEvent) -> "Ledger":
        """The ledger with one more event, which gets the next number."""
        return Ledger(self.stage, (*self.events, event))


@dataclass(frozen=True, slots=True)
class Terms:
    """What is promised from `effective_at` on, and the id of the event that made it so."""

    effective_at: datetime
    policy: str
    traits: Mapping[str, str]
    promise: Promise
    id: str

    def counts(self, pause: Paused) -> bool:
        """Whether the promise lets the clock stand still for this reason or party."""
        pauses = self.promise.pauses
        return pauses is None or pause.reason in pauses or pause.party in pauses


@dataclass(frozen=True, slots=True)
class RuleInForce:
    """A rule that applies to a clock, `calendar cn@2027`, with the event that published it."""

    rule: str
    effective_at: datetime
    event_id: str


class Folded(NamedTuple):
    """The state of a clock, what is promised when, and the rules in force, the policy first.

    `next_change_at` is when the next rule that is published already takes hold of the clock, if it is still open then;
    `revision` is that of the rulebook. `course` is there as long as one promise on one set of calendars is all that can ever
    count under this rulebook: the next event then continues from the first `folded` events of the ledger.
    """

    state: ClockState
    terms: tuple[Terms, ...]
    calendars: Mapping[str, CalendarVersion]
    in_force: tuple[RuleInForce, ...]
    next_change_at: datetime | None
    revision: int
    course: Course | None
    folded: int
    excuses: int = 0
    """How many versions of excused windows are about the clock; those that others have replaced count as well."""
    unexcused: tuple[str, ...] = ()
    """The outcome that each of its rounds would have without the windows; empty where there are none."""
    windows: tuple[Excused, ...] = ()
    """Those that count."""

    def terms_at(self, instant: datetime) -> Terms:
        """What was promised at an instant."""
        return terms_at(self.terms, instant)

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules in force."""
        return tuple(one.rule for one in self.in_force)


def terms_at(terms: Sequence[Terms], instant: datetime) -> Terms:
    """The last terms that were in force by then; the first ones before any."""
    return next((one for one in reversed(terms) if one.effective_at <= instant), terms[0])


_AFTER_ALL = 1_000_000
"""A sequence number after every one that a ledger has at the same instant."""


@dataclass(frozen=True, slots=True)
class _Step:
    """An instant from which something else may be promised: by another policy, or by the same one for other traits."""

    at: datetime
    sequence: int
    id: str
    policy: Policy | None = None
    traits: Mapping[str, str] = field(default_factory=dict)


def fold_ledger(rulebook: Rulebook, ledger: Ledger, as_of: datetime, before: Folded | None = None) -> Folded:
    """Folds the ledger as of an instant: cuts it into terms wherever another policy, calendar or trait took hold.

    Returns state, terms and the next rule change. `before` is a fold of the same ledger before its last events; the answer is
    the same without it, and takes longer.
    """
    if before is not None and (continued := _continued(rulebook, ledger, as_of, before)) is not None:
        return continued
    begun, changes = ledger.started, [event for event in ledger.events if isinstance(event, Changed)]
    history: list[ClockEvent] = [event for event in ledger.events if not isinstance(event, RuleUsed | Started | Changed)]
    excuses = excuses_of(rulebook, ledger.stage, begun, changes)
    history += windows_in(excuses)
    first, *others = rulebook.policies_since(begun.at)
    policy, promise = first.policy, first.policy.promise(ledger.stage, begun.traits)
    terms = [Terms(begun.at, policy.ref, begun.traits, promise, first.event_id)]
    started = replace(begun, calendar=promise.calendar, target=promise.target)
    history.append(started)
    steps = _steps(others, changes, history)
    for step in steps:
        if step.at > as_of:
            break
        if step.policy is not None and step.policy.ref in {one.policy for one in terms}:
            continue
        state = on_calendars(rulebook, _counted(history, terms), started, step.at)[0].state_at(step.at)
        if state.state in ENDED or (step.policy is not None and not is_open(state)):
            continue
        policy, traits = step.policy or policy, {**terms[-1].traits, **step.traits}
        before_it, promise = promise, policy.promise(ledger.stage, traits)
        terms.append(Terms(step.at, policy.ref, traits, promise, step.id))
        if (promise.target, promise.calendar) != (before_it.target, before_it.calendar):
            history.append(_change(step, promise, history))
    course, rounds, newer = on_calendars(rulebook, _counted(history, terms), started, as_of)
    ahead = [version.effective_at for version in newer if version.effective_at > as_of]
    ahead += [step.at for step in steps if step.at > as_of and step.policy is not None]
    is_final = course.is_whole and not (steps or others or newer)
    state = course.state_at(as_of)
    touched = touching(excuses, state) if excuses else []
    return Folded(
        state=state,
        terms=tuple(terms),
        calendars=rounds[-1],
        in_force=_in_force(terms, rounds[-1], touched),
        next_change_at=min(ahead, default=None),
        revision=rulebook.revision,
        course=course if is_final else None,
        folded=len(ledger.events),
        excuses=sum(one.version.version for one in touched),
        unexcused=without_windows(_counted(history, terms), as_of, rounds) if touched else (),
        windows=windows_in(touched),
    )


def _continued(rulebook: Rulebook, ledger: Ledger, as_of: datetime, before: Folded) -> Folded | None:
    """The earlier fold continued by the events since; None where that is not certain to be the fold of them all."""
    course = before.course
    if course is None or before.excuses or before.revision != rulebook.revision or as_of < before.state.as_of:
        return None
    for number in range(before.folded, len(ledger.events)):
        event = ledger.events[number]
        if isinstance(event, RuleUsed):
            continue
        is_known = event.id in [one.id for one in ledger.events[:number]]
        if is_known or isinstance(event, Started | Changed | Extended | Restarted) or event.at > as_of:
            return None
        if isinstance(event, Paused) and not before.terms[0].counts(event):
            continue
        course = course.and_event(event)
        if course is None:
            return None
    state = course.state_at(as_of)
    return Folded(
        state, before.terms, before.calendars, before.in_force, before.next_change_at, before.revision, course, len(ledger.events)
    )


def _in_force(terms: Sequence[Terms], calendars: Mapping[str, CalendarVersion], excuses: Sequence[Excuse]) -> tuple[RuleInForce, ...]:
    now = terms[-1]
    policy = next(one for one in terms if one.policy == now.policy)
    return (
        RuleInForce(f"policy {now.policy}", policy.effective_at, policy.id),
        *(RuleInForce(f"calendar {one.ref}", one.effective_at, one.event_id) for one in calendars.values()),
        *(RuleInForce(f"excused {one.version.ref}", one.version.effective_at, one.version.event_id) for one in excuses),
    )


def _steps(policies: Sequence[PolicyVersion], changes: Sequence[Changed], history: Sequence[ClockEvent]) -> list[_Step]:
    """By instant; changed traits come before the policies that begin at the same one."""
    by_traits = [_Step(event.at, event.sequence or 0, event.id, traits=event.traits) for event in changes]
    by_policy = [
        _Step(at, _AFTER_ALL + number, version.event_id, policy=version.policy)
        for number, version in enumerate(policies)
        for at in chances(version.effective_at, history)
    ]
    return sorted([*by_traits, *by_policy], key=lambda step: (step.at, step.sequence))


def _change(step: _Step, promise: Promise, history: Sequence[ClockEvent]) -> Changed:
    """What another promise is for the fold; a target that a restart names itself is newer than a policy that waited for it."""
    is_said = any(isinstance(event, Restarted) and event.at == step.at and event.target is not None for event in history)
    target = None if step.policy is not None and is_said else promise.target
    return Changed(id=step.id, at=step.at, sequence=step.sequence, target=target, calendar=promise.calendar)


def _counted(history: Sequence[ClockEvent], terms: Sequence[Terms]) -> list[ClockEvent]:
    """The events without the pauses that were none by what was promised then, and without what it did not allow."""
    refused = refused_by_policy(history, terms)
    counted = [event for event in history if not isinstance(event, Paused) or terms_at(terms, event.at).counts(event)]
    return [event for event in counted if event.id not in refused] if refused else counted


def refused_by_policy(history: Iterable[LedgerEvent], terms: Sequence[Terms]) -> dict[str, Literal["too_many", "too_long"]]:
    """The extensions and restarts that the policy did not allow at their time, by id, and why; each round may be extended anew."""
    refused: dict[str, Literal["too_many", "too_long"]] = {}
    extensions = restarts = 0
    for event in sorted((one for one in history if isinstance(one, Extended | Restarted)), key=lambda one: (one.at, one.sequence or 0)):
        promise = terms_at(terms, event.at).promise
        if isinstance(event, Restarted):
            if restarts >= promise.restarts:
                refused[event.id] = "too_many"
            else:
                restarts, extensions = restarts + 1, 0
        elif extensions >= promise.extensions.at_most:
            refused[event.id] = "too_many"
        elif not promise.extensions.admits(event.target):
            refused[event.id] = "too_long"
        else:
            extensions += 1
    return refused
