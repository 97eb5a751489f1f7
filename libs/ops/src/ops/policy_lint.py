"""What is wrong with a policy file, each finding with its line, and what to do about it."""

from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from common.contracts.topics import SERVICES
from common.contracts.yaml_files import Finding
from common.kernel.calendars import BUILT_IN
from common.kernel.faults import Fault, Where
from common.sla.policy import TRAITS, load_policy, parse_policy
from ops import document_lint
from ops.document_lint import findings

REMEDIES = {
    **document_lint.REMEDIES,
    "bad_value": "write it as the service's own policy.yaml does",
    "no_default": "add a last rule without `when`",
    "unreachable_rule": "put it before the rule without `when`",
    "bad_target": "write {working_seconds: n} or {working_days: n, meaning: end_of_day}, times of day in quotes: by: '17:00', "
    "or {none: true, reason: …}",
    "nothing_promised": "leave it out",
    "bad_threshold": "write 3/4, {at: 3/4, notify: [role]} or {before: {working_seconds: 3600}, notify: [role]}",
    "bad_objective": "write the share of promises to be kept in a month, such as 19/20",
    "bad_zone": "write a name of the IANA list, such as Asia/Shanghai",
    "unknown_trait": "ask for a trait that clocks have",
    "unknown_service": f"name one of {', '.join(SERVICES[:3])}",
    "unknown_stage": "use a stage of the service, or take it out",
    "missing_stage": "promise something for it",
    "unknown_calendar": "bring it along under `calendars`, or name a published one with --calendar",
    "unknown_indicator": "use an indicator of the registry",
}
_ANY_RULE = {"target": {"working_seconds": 1}, "calendar": "24x7"}


def lint(file: Path, *, calendars: tuple[str, ...] = ()) -> list[Finding]:
    """The findings in the order of their lines; `calendars` are those that were published, beside the built-in ones."""
    expected = "a policy is expected: policy, version, stages"
    return findings(file, lambda document: faults(document, calendars), expected=expected, remedies=REMEDIES)


def faults(document: Mapping[str, Any], calendars: tuple[str, ...] = ()) -> Iterator[Fault]:
    """Everything that is wrong with a policy, in no order."""
    stages = document.get("stages")
    head = {**{name: value for name, value in document.items() if name != "objectives"}, "stages": {"any": [_ANY_RULE]}}
    yield from _refused(head, ())
    if not isinstance(stages, dict):
        yield Fault(("stages",), "missing_field" if stages is None else "bad_value", "stages with their rules are expected")
        return
    brought = document.get("calendars")
    own = set(brought) if isinstance(brought, dict) else set()
    for name in sorted(own & set(BUILT_IN)):
        yield Fault(("calendars", name), "bad_calendar", "a built-in calendar has this name")
    yield from _against_the_service(document, stages)
    yield from _objectives(document.get("objectives", {}), stages)
    indicators = {found.id for point in entry_points(group="aftersales.indicators") for found in point.load()}
    given = {point.name: set(point.load()) for point in entry_points(group="aftersales.traits")}
    traits = given.get(str(document.get("policy")), set(TRAITS))
    for stage, rules in stages.items():
        yield from _rules(str(stage), rules, own | set(BUILT_IN) | set(calendars), indicators, traits)


def _objectives(objectives: Any, stages: Mapping[str, Any]) -> Iterator[Fault]:
    each = [{stage: share} for stage, share in objectives.items()] if isinstance(objectives, dict) else [objectives]
    for one in each:
        yield from _refused({"policy": "any", "version": 1, "stages": {stage: [_ANY_RULE] for stage in stages}, "objectives": one}, ())


def _against_the_service(document: Mapping[str, Any], stages: Mapping[str, Any]) -> Iterator[Fault]:
    service, version = document.get("policy"), document.get("version")
    if not isinstance(service, str):
        return
    if not keeps_clocks(service):
        yield Fault(("policy",), "unknown_service", f"no service {service} keeps clocks")
        return
    shipped = load_policy(service)
    if isinstance(version, int) and version <= shipped.version and parsed(document) != shipped:
        yield Fault(("version",), "version_taken", f"{service} ships with version {shipped.version}")
    for stage in stages:
        if stage not in shipped.stages:
            yield Fault(("stages", str(stage)), "unknown_stage", f"{service} keeps no such clock; it has {', '.join(shipped.stages)}")
    for stage in shipped.stages:
        if stage not in stages:
            yield Fault(("stages",), "missing_stage", f"nothing is promised for {stage}")


def keeps_clocks(service: str) -> bool:
    """Whether a service of this name has a policy of its own."""
    return service in SERVICES and resources.files(service).joinpath("policy.yaml").is_file()


def parsed(document: Mapping[str, Any]) -> object:
    """The policy of a document, None where it is none."""
    try:
        return parse_policy(document)
    except Fault:
        return None


def _rules(stage: str, rules: Any, calendars: set[str], indicators: set[str], traits: set[str]) -> Iterator[Fault]:
    place = ("stages", stage)
    if not isinstance(rules, list) or not rules:
        yield Fault(place, "bad_value", "a list of rules is expected")
        return
    for number, rule in enumerate(rules):
        here = (*place, number)
        if not isinstance(rule, dict):
            yield Fault(here, "bad_value", "a rule is expected: target, calendar …")
            continue
        for name in ("target", "calendar"):
            if name not in rule:
                yield Fault(here, "missing_field", f"the rule has no {name}")
        for name, value in rule.items():  # one field at a time, so that one finding does not hide the next
            alone = [{**_ANY_RULE, name: value}, _ANY_RULE]
            yield from _refused({"policy": "any", "version": 1, "stages": {stage: alone}}, here)
        last = number == len(rules) - 1
        if last and rule.get("when"):
            yield Fault(here, "no_default", "the last rule has a `when`, so for some cases it is not said what is promised")
        if not last and not rule.get("when"):
            yield Fault((*place, number + 1), "unreachable_rule", "a rule before it takes every case")
        if isinstance(calendar := rule.get("calendar"), str) and calendar not in calendars:
            yield Fault((*here, "calendar"), "unknown_calendar", f"no calendar {calendar} is known")
        when = rule.get("when")
        for name in sorted(set(when) & set(TRAITS) - traits if isinstance(when, dict) else ()):
            problem = f"no case of this service has a {name}, so the rule would never fit; they have {', '.join(sorted(traits))}"
            yield Fault((*here, "when", name), "unknown_trait", problem)
        named = rule.get("indicators")
        for index, indicator in enumerate(named if isinstance(named, list) else []):
            if isinstance(indicator, str) and indicator not in indicators:
                yield Fault((*here, "indicators", index), "unknown_indicator", f"{indicator} is not in the registry")


def _refused(document: Mapping[str, Any], at: Where) -> Iterator[Fault]:
    """What the services' own reader says; places inside the one rule of a stage are moved to `at`."""
    try:
        parse_policy(document)
    except Fault as fault:
        yield Fault((*at, *fault.where[len(at) :]), fault.rule, fault.what)
