"""Three ways to fail, each with one consequence: what cannot be read, what a rule refuses, what may work later."""

from dataclasses import dataclass


class Malformed(Exception):
    """The record cannot be read: it becomes a dead letter that names the field and the reason.

    `rule` is a short word that does not change (`bad_json`, `missing`, `unknown_type` …). The record's own values never
    appear in the message, since they may be personal.
    """

    def __init__(self, rule: str, *, field: str, reason: str) -> None:
        super().__init__(f"{field}: {rule}: {reason}")
        self.rule = rule
        self.field = field
        self.reason = reason


class Transient(Exception):
    """Nothing is wrong with the record: the same batch is tried again after a pause."""


class EventTooLarge(Exception):
    """An event that we were about to decide is larger than any event may be: a defect of ours, which parks its aggregate."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule says no, for good: the claimant is told the rule's name in a `claim_rejected` event.

    `rule` names the rule in the words of the domain, `was` the state that made it refuse, `field` the field of the claim
    that it is about.
    """

    rule: str
    was: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class TooEarly:
    """An earlier event is still missing: the claim waits until it has come (decisions: claims that come too early)."""

    missing: str


class InvalidTransition(Exception):
    """A state machine was asked for a step that its table does not have; a defect of ours, since use cases check first."""
