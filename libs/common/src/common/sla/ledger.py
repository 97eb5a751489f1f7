"""What follows from a clock's ledger under the rules, the same for every order in which events and rules became known (ADR 0007)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from common.kernel import sla_clock
from common.kernel.clock_events import Changed, ClockEvent, Paused, Reopened, Started
from common.kernel.sla_clock import ClockState, Course
from common.sla.policy import Policy, Promise
from common.sla.rulebook import CalendarVersion, PolicyVersion, Rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitsChanged:
    """From here on the case has these traits instead: its priority was judged anew, say (D1-11, X-39)."""

    id: str
    at: datetime
    sequence: int
    traits: Mapping[str, str]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleUsed:
    """A trail in the ledger: since when the clock goes by a rule, `policy complaints@2` or `calendar cn@2027`. It moves no time itself."""

    id: str
    at: datetime
    sequence: int
    rule: str


LedgerEvent = ClockEvent | TraitsChanged | RuleUsed


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that was said about one clock, and the traits with which it began."""

    stage: str
    traits: Mapping[str, str]
    events: tuple[LedgerEvent, ...]

    def and_event(self, event: LedgerEvent) -> "Ledger":
        """The ledger with one more event."""
        return Ledger(self.stage, self.traits, (*self.events, event))


@dataclass(frozen=True, slots=True)
class Terms:
    """What is promised from `since` on, and the id of the event that made it so."""

    since: datetime
    policy: str
    traits: Mapping[str, str]
    promise: Promise
    id: str

    def counts(self, pause: Paused) -> bool:
        """Whether the promise lets the clock stand still for this reason or party."""
        pauses = self.promise.pauses
        return pauses is None or pause.reason in pauses or pause.party in pauses


@dataclass(frozen=True, slots=True)
class Used:
    """A rule that a clock goes by, `calendar cn@2027`, with the event that published it."""

    rule: str
    since: datetime
    event_id: str


@dataclass(frozen=True, slots=True)
class Folded:
    """The state of a clock, what is promised when, and the rules that it goes by, the policy first.

    `due_at` is when the next rule that is published already will concern the clock, if it is still open then; `revision` is
    that of the rules. `course` is there as long as one promise on one set of calendars is all that can ever count under these
    rules: whatever is said next of the clock then goes on from the first `folded` events of its ledger.
    """

    state: ClockState
    terms: tuple[Terms, ...]
    calendars: Mapping[str, CalendarVersion]
    used: tuple[Used, ...]
    due_at: datetime | None
    revision: int
    course: Course | None = None
    folded: int = 0

    def terms_at(self, instant: datetime) -> Terms:
        """What was promised at an instant."""
        return terms_at(self.terms, instant)

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules that count."""
        return tuple(used.rule for used in self.used)


def is_open(state: ClockState) -> bool:
    """Whether a clock still waits for its outcome."""
    return state.outcome == "open" and state.state != "stopped"


def terms_at(terms: Sequence[Terms], instant: datetime) -> Terms:
    """The last terms that had begun by then; the first ones before any."""
    return next((one for one in reversed(terms) if one.since <= instant), terms[0])


_AFTER_ALL = 1_000_000
"""What comes after everything that a ledger holds of the same instant."""


@dataclass(frozen=True, slots=True)
class _Step:
    """An instant from which something else may be promised: by another policy, or by the same one for other traits."""

    at: datetime
    sequence: int
    id: str
    policy: Policy | None = None
    traits: Mapping[str, str] = field(default_factory=dict)


def fold_under(rules: Rulebook, ledger: Ledger, as_of: datetime, before: Folded | None = None) -> Folded:
    """The clock at `as_of` as the rules have it; `before` is what the same ledger was before the last things were said."""
    if before is not None and (carried_on := _carried_on(rules, ledger, as_of, before)) is not None:
        return carried_on
    history: list[ClockEvent] = [event for event in ledger.events if not isinstance(event, RuleUsed | TraitsChanged | Started)]
    started = next(event for event in ledger.events if isinstance(event, Started))
    began, *others = rules.policies_since(started.at)
    policy, promise = began.policy, began.policy.promise(ledger.stage, ledger.traits)
    terms = [Terms(started.at, policy.ref, ledger.traits, promise, began.event_id)]
    started = replace(started, calendar=promise.calendar, target=promise.target)
    history.append(started)
    steps = _steps(others, ledger, history)
    for step in steps:
        if step.at > as_of:
            break
        if step.policy is not None and step.policy.ref in {one.policy for one in terms}:
            continue
        state = _on_calendars(rules, _counted(history, terms), started, step.at)[0].state_at(step.at)
        if state.state == "stopped" or (step.policy is not None and not is_open(state)):
            continue
        policy, traits = step.policy or policy, {**terms[-1].traits, **step.traits}
        before_it, promise = promise, policy.promise(ledger.stage, traits)
        terms.append(Terms(step.at, policy.ref, traits, promise, step.id))
        if (promise.target, promise.calendar) != (before_it.target, before_it.calendar):
            history.append(Changed(id=step.id, at=step.at, sequence=step.sequence, target=promise.target, calendar=promise.calendar))
    course, calendars, newer = _on_calendars(rules, _counted(history, terms), started, as_of)
    due = [version.published_at for version in newer if version.published_at > as_of]
    due += [step.at for step in steps if step.at > as_of and step.policy is not None]
    goes_on = course.is_whole and not (steps or others or newer)
    return Folded(
        course.state_at(as_of),
        tuple(terms),
        calendars,
        _used(terms, calendars),
        min(due, default=None),
        rules.revision,
        course if goes_on else None,
        len(ledger.events),
    )


def _carried_on(rules: Rulebook, ledger: Ledger, as_of: datetime, before: Folded) -> Folded | None:
    """What was folded, carried on by what was said since; None where that is not certain to be the fold of everything."""
    course = before.course
    if course is None or before.revision != rules.revision or as_of < before.state.as_of:
        return None
    for number in range(before.folded, len(ledger.events)):
        event = ledger.events[number]
        if isinstance(event, RuleUsed):
            continue
        is_known = event.id in [one.id for one in ledger.events[:number]]
        if is_known or isinstance(event, Started | TraitsChanged) or event.at > as_of:
            return None
        if isinstance(event, Paused) and not before.terms[0].counts(event):
            continue
        course = course.and_event(event)
        if course is None:
            return None
    state = course.state_at(as_of)
    return Folded(state, before.terms, before.calendars, before.used, before.due_at, before.revision, course, len(ledger.events))


def _used(terms: Sequence[Terms], calendars: Mapping[str, CalendarVersion]) -> tuple[Used, ...]:
    now = terms[-1]
    policy = next(one for one in terms if one.policy == now.policy)
    return (
        Used(f"policy {now.policy}", policy.since, policy.id),
        *(Used(f"calendar {one.ref}", one.published_at, one.event_id) for one in calendars.values()),
    )


def _steps(policies: Sequence[PolicyVersion], ledger: Ledger, history: Sequence[ClockEvent]) -> list[_Step]:
    """By instant; what the ledger says of one instant comes before the policies that begin at it."""
    said = [_Step(event.at, event.sequence, event.id, traits=event.traits) for event in ledger.events if isinstance(event, TraitsChanged)]
    activated = [
        _Step(at, _AFTER_ALL + number, version.event_id, policy=version.policy)
        for number, version in enumerate(policies)
        for at in _chances(version.effective_at, history)
    ]
    return sorted([*said, *activated], key=lambda step: (step.at, step.sequence))


def _chances(instant: datetime, history: Sequence[ClockEvent]) -> list[datetime]:
    """When a rule may take hold of a clock: at its own instant, or when the clock is reopened later."""
    return [instant, *sorted(event.at for event in history if isinstance(event, Reopened) and event.at > instant)]


def _counted(history: Sequence[ClockEvent], terms: Sequence[Terms]) -> list[ClockEvent]:
    """The events without the pauses that were none by what was promised then."""
    return [event for event in history if not isinstance(event, Paused) or terms_at(terms, event.at).counts(event)]


def _on_calendars(
    rules: Rulebook, history: Sequence[ClockEvent], started: Started, as_of: datetime
) -> tuple[Course, Mapping[str, CalendarVersion], Sequence[CalendarVersion]]:
    """The course, with the calendar versions that count, and all that are newer than those at the start."""
    names = {event.calendar for event in history if isinstance(event, Started | Changed) and event.calendar is not None}
    using = {name: rules.at_start(name, started.at) for name in sorted(names)}
    newer = sorted((one for used in using.values() for one in rules.later(used)), key=lambda one: (one.published_at, one.ref))
    for version in newer:
        chances = [at for at in _chances(version.published_at, history) if at <= as_of]
        if any(is_open(_course(history, at, using).state_at(at)) for at in chances):
            using[version.name] = version
    return _course(history, as_of, using), using, newer


def _course(history: Sequence[ClockEvent], as_of: datetime, using: Mapping[str, CalendarVersion]) -> Course:
    return sla_clock.course(history, as_of, {name: used.calendar for name, used in using.items()})
