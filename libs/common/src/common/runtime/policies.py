"""SLA policies as data: for each stage of a service the target, the calendar, the thresholds and the indicator that it feeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from typing import Any

import yaml

from common.kernel.calendars import named
from common.kernel.targets import read_target
from common.kernel.working_time import Calendar

_FIELDS = {"target", "calendar", "thresholds", "indicators", "when"}


@dataclass(frozen=True, slots=True)
class Promise:
    """What one stage promises: `target` and `calendar` as `clock calculate` takes them, `thresholds` as shares of the target."""

    stage: str
    target: Mapping[str, Any]
    calendar: str
    thresholds: tuple[Fraction, ...]
    indicators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """All promises of one service in one version: `complaints@1`."""

    ref: str
    rules: tuple[tuple[Mapping[str, str], Promise], ...]
    calendars: Mapping[str, Calendar]
    """The calendars that the policy brings along, beside the built-in ones."""

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that the service keeps clocks for."""
        return tuple(dict.fromkeys(promise.stage for _, promise in self.rules))

    def promise(self, stage: str, traits: Mapping[str, str]) -> Promise:
        """The first rule of `stage` whose conditions all hold for `traits` (priority, region …); the last has no conditions."""
        for when, promise in self.rules:
            if promise.stage == stage and all(traits.get(name) == value for name, value in when.items()):
                return promise
        raise LookupError(f"{self.ref} promises nothing for the stage {stage}")


def load_policy(package: str) -> Policy:
    """The policy that ships with a service: `policy.yaml` in its package."""
    return parse_policy(yaml.safe_load(resources.files(package).joinpath("policy.yaml").read_text("utf-8")))


def parse_policy(document: Mapping[str, Any]) -> Policy:
    """A policy from its document; `ValueError` names the stage and the field."""
    rules = []
    for stage, entries in document["stages"].items():
        for entry in entries:
            if unknown := set(entry) - _FIELDS:
                raise ValueError(f"stages.{stage}: unknown field {sorted(unknown)[0]}")
            thresholds = tuple(sorted(Fraction(str(share)) for share in entry.get("thresholds", ("3/4", "9/10"))))
            promise = Promise(stage, entry["target"], entry["calendar"], thresholds, tuple(entry.get("indicators", ())))
            rules.append((entry.get("when", {}), promise))
        if rules[-1][0]:
            raise ValueError(f"stages.{stage}: the last rule must have no `when`, so that every case has a promise")
    calendars = {name: Calendar.from_json(calendar, f"calendars.{name}") for name, calendar in document.get("calendars", {}).items()}
    for _, promise in rules:
        named(promise.calendar, calendars)
        read_target(promise.target, f"stages.{promise.stage}.target")
    return Policy(f"{document['policy']}@{document['version']}", tuple(rules), calendars)
