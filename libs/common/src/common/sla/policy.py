"""SLA policies as data: what each stage of a service promises, when somebody is notified, and which pauses count."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import resources
from typing import Any

from common.contracts.yaml_files import read_yaml
from common.kernel.clock_errors import ClockError
from common.kernel.exact import NotExact, parse_exact
from common.kernel.known_fields import unknown_field
from common.kernel.targets import Target, WorkingTime, read_target
from common.kernel.working_time import Calendar

POLICY_FIELDS = ("policy", "version", "stages", "calendars")
_HIGHEST_VERSION = 2**31 - 1
RULE_FIELDS = ("when", "target", "calendar", "thresholds", "indicators", "pauses")
TRAITS = ("priority", "region", "channel", "customer_class", "outlet", "category", "product", "nature", "severity")
"""What a rule may ask for in `when`; a trait that a service does not give its clocks never fits."""


class PolicyError(ValueError):
    """The document is no policy: `place` is the path to what is wrong, `problem` says what, `rule` is its short name."""

    def __init__(self, place: tuple[str | int, ...], problem: str, rule: str = "bad_value") -> None:
        super().__init__(f"{'.'.join(map(str, place))}: {problem}")
        self.rule = rule
        self.place = place
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Threshold:
    """When somebody is notified that a clock nears its deadline: at a share of the target, or with so much working time left.

    One of `share` and `before` (microseconds) is set; `notify` are the roles that the policy wants notified.
    """

    share: Fraction | None = None
    before: int | None = None
    notify: tuple[str, ...] = ()

    @classmethod
    def read(cls, document: object, place: tuple[str | int, ...] = ()) -> "Threshold":
        """From `3/4`, `{at: 3/4, notify: [dispatcher]}` or `{before: {working_seconds: 3600}, notify: […]}`; `PolicyError` otherwise."""
        if not isinstance(document, Mapping):
            return cls(share=_share(document, place))
        _refuse_unknown(document, ("at", "before", "notify"), place)
        notify = document.get("notify", [])
        if not isinstance(notify, list) or not all(isinstance(role, str) and role for role in notify):
            raise PolicyError((*place, "notify"), "a list of roles is expected")
        match {name: value for name, value in document.items() if name != "notify"}:
            case {"at": share, **rest} if not rest:
                return cls(share=_share(share, (*place, "at")), notify=tuple(notify))
            case {"before": amount, **rest} if not rest:
                target = _target(amount, (*place, "before"))
                if not isinstance(target, WorkingTime) or target.micros == 0:
                    raise PolicyError((*place, "before"), "an amount of working_seconds above 0 is expected", "bad_threshold")
                return cls(before=target.micros, notify=tuple(notify))
        raise PolicyError(
            place, "a share, {at: share} or {before: {working_seconds: n}}, each with notify if you like, is expected", "bad_threshold"
        )


DEFAULT_THRESHOLDS = (Threshold(Fraction(3, 4)), Threshold(Fraction(9, 10)))


@dataclass(frozen=True, slots=True)
class Promise:
    """What one stage promises: a target on a calendar, and what belongs to the promise."""

    stage: str
    target: Target
    calendar: str
    thresholds: tuple[Threshold, ...]
    indicators: tuple[str, ...]
    pauses: tuple[str, ...] | None = None
    """The reasons for which the clock stands still; None counts every reason, and a pause for another one is no pause."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All promises of one service in one version: `complaints@1`."""

    ref: str
    rules: tuple[tuple[Mapping[str, str], Promise], ...]
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    """The calendars that the policy brings along: `<ref>/<name>`, so that no other policy's calendar has the same name."""
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What `parse_policy` made it from."""

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
    """A policy from its document; `PolicyError` names the first place that is wrong. Whether its calendars are known is not asked."""
    _refuse_unknown(document, POLICY_FIELDS, ())
    name, version = document.get("policy"), document.get("version")
    if not isinstance(name, str) or not name:
        raise PolicyError(("policy",), "the name of a service is expected")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= _HIGHEST_VERSION:
        raise PolicyError(("version",), f"a whole number from 1 to {_HIGHEST_VERSION} is expected")
    ref = f"{name}@{version}"
    calendars: dict[str, Calendar] = {}
    for own, calendar in _mapping(document.get("calendars", {}), ("calendars",)).items():
        try:
            calendars[f"{ref}/{own}"] = Calendar.from_json(calendar, "")
        except ClockError as problem:
            raise PolicyError(("calendars", own, *_places(problem)), problem.message, problem.code) from None
    stages = _mapping(document.get("stages"), ("stages",))
    rules = [rule for stage, entries in stages.items() for rule in _stage(stage, entries, ref, calendars)]
    return Policy(ref, tuple(rules), calendars, document)


def _stage(stage: str, entries: object, ref: str, calendars: Mapping[str, Calendar]) -> list[tuple[Mapping[str, str], Promise]]:
    place = ("stages", stage)
    if not isinstance(entries, list) or not entries:
        raise PolicyError(place, "a list of rules is expected")
    rules = [_rule(stage, entry, (*place, number), ref, calendars) for number, entry in enumerate(entries)]
    if rules[-1][0]:
        raise PolicyError((*place, len(rules) - 1), "the last rule must have no `when`, so that every case has a promise", "no_default")
    return rules


def _rule(
    stage: str, document: object, place: tuple[str | int, ...], ref: str, calendars: Mapping[str, Calendar]
) -> tuple[Mapping[str, str], Promise]:
    entry = _mapping(document, place)
    _refuse_unknown(entry, RULE_FIELDS, place)
    for name in ("target", "calendar"):
        if name not in entry:
            raise PolicyError(place, f"the rule has no {name}", "missing_field")
    target = _target(entry["target"], (*place, "target"))
    if not isinstance(entry["calendar"], str):
        raise PolicyError((*place, "calendar"), "the name of a calendar is expected")
    when = _mapping(entry.get("when", {}), (*place, "when"))
    for name, value in when.items():
        if name not in TRAITS or not isinstance(value, str):
            raise PolicyError((*place, "when", name), f"a text for one of {', '.join(TRAITS)} is expected", "unknown_trait")
    thresholds: tuple[Threshold, ...] = DEFAULT_THRESHOLDS
    if "thresholds" in entry:
        listed = _list(entry["thresholds"], (*place, "thresholds"))
        thresholds = tuple(Threshold.read(one, (*place, "thresholds", number)) for number, one in enumerate(listed))
    calendar = f"{ref}/{entry['calendar']}" if f"{ref}/{entry['calendar']}" in calendars else entry["calendar"]
    indicators = _texts(entry.get("indicators", []), (*place, "indicators"))
    pauses = _texts(entry["pauses"], (*place, "pauses")) if "pauses" in entry else None
    return when, Promise(stage, target, calendar, thresholds, indicators, pauses)


def _share(value: object, place: tuple[str | int, ...]) -> Fraction:
    try:
        share = parse_exact(str(value) if isinstance(value, float) else value)
    except NotExact:
        raise PolicyError(place, "a share of the target, such as 3/4, is expected", "bad_threshold") from None
    if not 0 < share <= 1:
        raise PolicyError(place, "a threshold is a share of the target above 0 and up to 1", "bad_threshold")
    return share


def _target(value: object, place: tuple[str | int, ...]) -> Target:
    try:
        return read_target(value, "")
    except ClockError as problem:
        if problem.code == "unknown_field":
            raise PolicyError(place, str(problem), "bad_target") from None
        raise PolicyError((*place, *_places(problem)), problem.message, problem.code) from None


def _places(problem: ClockError) -> tuple[str | int, ...]:
    """The path of a value inside a document, as `weekly_hours.mon[0]` names it."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"[.\[\]]+", problem.field) if part)


def _refuse_unknown(document: Mapping[Any, Any], known: tuple[str, ...], place: tuple[str | int, ...]) -> None:
    if found := unknown_field(document, known):
        name, said = found
        raise PolicyError((*place, name), said, "unknown_field")


def _mapping(value: object, place: tuple[str | int, ...]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise PolicyError(place, "names with values are expected")
    return value


def _list(value: object, place: tuple[str | int, ...]) -> list[Any]:
    if not isinstance(value, list):
        raise PolicyError(place, "a list is expected")
    return value


def _texts(value: object, place: tuple[str | int, ...]) -> tuple[str, ...]:
    found = _list(value, place)
    for number, one in enumerate(found):
        if not isinstance(one, str) or not one:
            raise PolicyError((*place, number), "a text is expected")
    return tuple(found)
