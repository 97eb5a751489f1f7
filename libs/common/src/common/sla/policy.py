"""SLA policies as data: what each stage of a service promises, when somebody is notified, and which pauses count."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import resources
from typing import Any, ClassVar

from common.contracts.yaml_files import read_yaml
from common.kernel.documents import Node, by_rule
from common.kernel.exact import parse_exact
from common.kernel.faults import Fault
from common.kernel.targets import NoPromise, Target, WorkingDays, WorkingTime, read_target
from common.kernel.working_time import Calendar
from common.kernel.zones import zone_named

POLICY_FIELDS = ("policy", "version", "stages", "calendars", "objectives", "month_zone")
_HIGHEST_VERSION = 2**31 - 1
RULE_FIELDS = ("when", "target", "calendar", "thresholds", "indicators", "pauses", "extensions", "restarts")
TRAITS = ("priority", "region", "channel", "customer_class", "outlet", "category", "product", "nature", "severity")
"""What a rule may ask for in `when`; a trait that a service does not give its clocks never fits."""


_POLICY = by_rule("bad_value", fields="names with values are expected")._replace(names=lambda _: "names with values are expected")


@dataclass(frozen=True, slots=True)
class Threshold:
    """When somebody is notified that a clock nears its deadline: at a share of the target, or with so much working time left.

    One of `share` and `before` (microseconds) is set; `notify` are the roles that the policy wants notified.
    """

    share: Fraction | None = None
    before: int | None = None
    notify: tuple[str, ...] = ()

    @classmethod
    def read(cls, one: Node) -> "Threshold":
        """From `3/4`, `{at: 3/4, notify: [dispatcher]}` or `{before: {working_seconds: 3600}, notify: […]}`; a `Fault` otherwise."""
        if not isinstance(one.value, Mapping):
            return cls(share=_share(one))
        one.fields(known=("at", "before", "notify"))
        notify = one.field("notify", [])
        if not isinstance(notify.value, list) or not all(isinstance(role, str) and role for role in notify.value):
            raise notify.fault("a list of roles is expected")
        match [name for name in one.value if name != "notify"]:
            case ["at"]:
                return cls(share=_share(one.field("at")), notify=tuple(notify.value))
            case ["before"]:
                before = one.field("before")
                target = _target(before)
                if not isinstance(target, WorkingTime) or target.micros == 0:
                    raise before.fault("an amount of working_seconds above 0 is expected", "bad_threshold")
                return cls(before=target.micros, notify=tuple(notify.value))
        raise one.fault(
            "a share, {at: share} or {before: {working_seconds: n}}, each with notify if you like, is expected", "bad_threshold"
        )


DEFAULT_THRESHOLDS = (Threshold(Fraction(3, 4)), Threshold(Fraction(9, 10)))


@dataclass(frozen=True, slots=True)
class Extensions:
    """How often a promise may be extended, and the longest target that may then be promised; None where any may."""

    at_most: int = 0
    up_to: Target | None = None

    @classmethod
    def read(cls, given: Node) -> "Extensions":
        """From `{at_most: 1, up_to: {working_days: 5, meaning: end_of_day}}`; a `Fault` otherwise."""
        given.fields(known=("at_most", "up_to"))
        at_most = given.field("at_most").integer(1, 100, "how often a promise may be extended is expected, from 1 to 100")
        return cls(at_most, _target(given.field("up_to")) if "up_to" in given else None)

    def admits(self, target: Target) -> bool:
        """Whether a target is of the kind of the longest one, and no longer."""
        match self.up_to, target:
            case None, _:
                return True
            case WorkingTime(longest), WorkingTime(micros):
                return micros <= longest
            case WorkingDays(longest, meaning), WorkingDays(number, other):
                return number <= longest and other == meaning
            case _:
                return False


NO_EXTENSIONS = Extensions()


@dataclass(frozen=True, slots=True)
class Promise:
    """What one stage promises, perhaps nothing: a target on a calendar, and what belongs to the promise."""

    stage: str
    target: Target
    calendar: str
    thresholds: tuple[Threshold, ...]
    indicators: tuple[str, ...]
    pauses: tuple[str, ...] | None = None
    """The reasons for which the clock stands still; None counts every reason, and a pause for another one is no pause."""
    extensions: Extensions = NO_EXTENSIONS
    """How far it may be extended before its deadline: not at all, unless the policy says so."""
    restarts: int = 0
    """How often it may begin anew: never, unless the policy says so."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All promises of one service in one version: `complaints@1`."""

    MONTH_ZONE: ClassVar[str] = "Asia/Shanghai"
    """On whose wall clock months begin where a policy names no zone."""

    ref: str
    rules: tuple[tuple[Mapping[str, str], Promise], ...]
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    """The calendars that the policy brings along: `<ref>/<name>`, so that no other policy's calendar has the same name."""
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What `parse_policy` made it from."""
    objectives: Mapping[str, Fraction] = field(default_factory=dict)
    """By stage the share of promises, above 0 and at most 1, that has to be kept in a calendar month; none where nobody has set one."""
    month_zone: str = MONTH_ZONE

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that the service keeps clocks for."""
        return tuple(dict.fromkeys(promise.stage for _, promise in self.rules))

    @property
    def version(self) -> int:
        """The number after the `@`."""
        return int(self.ref.rpartition("@")[2])

    @property
    def named_calendars(self) -> set[str]:
        """The calendars that somebody else has to know."""
        return {promise.calendar for _, promise in self.rules} - set(self.calendars)

    def promise(self, stage: str, traits: Mapping[str, str]) -> Promise:
        """The first rule of `stage` whose conditions all hold for `traits` (priority, region …); the last has no conditions."""
        for when, promise in self.rules:
            if promise.stage == stage and all(traits.get(name) == value for name, value in when.items()):
                return promise
        raise LookupError(f"{self.ref} promises nothing for the stage {stage}")


def load_policy(package: str) -> Policy:
    """The policy that ships with a service: `policy.yaml` in its package."""
    return parse_policy(shipped_document(package))


def shipped_document(package: str) -> dict[str, Any]:
    """The document of the policy that ships with a service."""
    found: dict[str, Any] = read_yaml(resources.files(package).joinpath("policy.yaml").read_bytes()).value
    return found


def parse_policy(document: Mapping[str, Any]) -> Policy:
    """A policy from its document; a `Fault` names the first place that is wrong. Whether its calendars are known is not asked."""
    whole = Node(document, (), _POLICY)
    whole.fields(known=POLICY_FIELDS)
    name = whole.field("policy").text(what="the name of a service is expected")
    version = whole.field("version").integer(1, _HIGHEST_VERSION, f"a whole number from 1 to {_HIGHEST_VERSION} is expected")
    ref = f"{name}@{version}"
    brought, stages = whole.field("calendars", {}), whole.field("stages")
    calendars = {f"{ref}/{own}": Calendar.from_json(calendar, (*brought.where, own)) for own, calendar in brought.fields().items()}
    rules = [rule for stage in stages.fields() for rule in _stage(stage, stages.field(stage), ref, calendars)]
    objectives = _objectives(whole.field("objectives", {}), stages.fields())
    return Policy(ref, tuple(rules), calendars, document, objectives, _zone(whole.field("month_zone", Policy.MONTH_ZONE)))


def _stage(stage: str, entries: Node, ref: str, calendars: Mapping[str, Calendar]) -> list[tuple[Mapping[str, str], Promise]]:
    if not isinstance(entries.value, list) or not entries.value:
        raise entries.fault("a list of rules is expected")
    rules = [_rule(stage, entry, ref, calendars) for entry in entries.items()]
    if rules[-1][0]:
        raise entries.fault(
            "the last rule must have no `when`, so that it is said for every case what is promised", "no_default", len(rules) - 1
        )
    return rules


def _rule(stage: str, entry: Node, ref: str, calendars: Mapping[str, Calendar]) -> tuple[Mapping[str, str], Promise]:
    entry.fields(known=RULE_FIELDS)
    for name in ("target", "calendar"):
        if name not in entry:
            raise entry.fault(f"the rule has no {name}", "missing_field")
    target, calendar = _target(entry.field("target")), entry.field("calendar")
    if isinstance(target, NoPromise):
        _check_no_promise(target, entry)
    if not isinstance(calendar.value, str):
        raise calendar.fault("the name of a calendar is expected")
    when = entry.field("when", {})
    for name, value in when.fields().items():
        if name not in TRAITS or not isinstance(value, str):
            raise when.fault(f"a text for one of {', '.join(TRAITS)} is expected", "unknown_trait", name)
    usual = () if isinstance(target, NoPromise) else DEFAULT_THRESHOLDS
    thresholds = tuple(map(Threshold.read, entry.field("thresholds").items())) if "thresholds" in entry else usual
    own = f"{ref}/{calendar.value}"
    indicators = entry.field("indicators", []).texts()
    pauses = entry.field("pauses").texts() if "pauses" in entry else None
    extensions = Extensions.read(entry.field("extensions")) if "extensions" in entry else NO_EXTENSIONS
    restarts = entry.field("restarts", 0).integer(0, 100, "how often a promise may begin anew is expected, up to 100")
    calendar_name = own if own in calendars else calendar.value
    return when.value, Promise(stage, target, calendar_name, thresholds, indicators, pauses, extensions, restarts)


def _check_no_promise(target: NoPromise, entry: Node) -> None:
    if not target.reason:
        raise entry.field("target").fault("why nothing is promised is expected as its reason", "bad_target", "reason")
    for name in ("thresholds", "indicators", "extensions", "restarts"):
        if name in entry:
            raise entry.field(name).fault("nothing is promised that could come near, count, be extended or begin anew", "nothing_promised")


def _objectives(given: Node, stages: Mapping[str, Any]) -> dict[str, Fraction]:
    objectives = {}
    for stage in given.fields():
        if stage not in stages:
            raise given.fault(f"an objective for one of {', '.join(stages)} is expected", "unknown_stage", stage)
        expected = "the share of promises to be kept, above 0 and up to 1, such as 19/20, is expected"
        objectives[stage] = _share(given.field(stage), "bad_objective", expected, expected)
    return objectives


def _zone(given: Node) -> str:
    name = given.text(what="the name of a time zone is expected")
    try:
        zone_named(name)
    except KeyError:
        raise given.fault("the name of a time zone, such as Asia/Shanghai, is expected", "bad_zone") from None
    return name


_NO_SHARE = "a share of the target, such as 3/4, is expected"
_NO_THRESHOLD = "a threshold is a share of the target above 0 and up to 1"


def _share(given: Node, rule: str = "bad_threshold", unreadable: str = _NO_SHARE, outside: str = _NO_THRESHOLD) -> Fraction:
    try:
        share = parse_exact(str(given.value) if isinstance(given.value, float) else given.value)
    except Fault:
        raise given.fault(unreadable, rule) from None
    if not 0 < share <= 1:
        raise given.fault(outside, rule)
    return share


def _target(given: Node) -> Target:
    try:
        return read_target(given.value, given.where)
    except Fault as fault:
        if fault.rule != "unknown_field":
            raise
        raise given.fault(fault.what, "bad_target") from None  # without the name that nobody knows: it may be a person's
