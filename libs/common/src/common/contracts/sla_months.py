"""How the promises of a stage were kept in a calendar month; topic `sla-months`, from every service that keeps clocks."""

from typing import Annotated

from pydantic import Field, StringConstraints

from common.contracts.event import Event
from common.contracts.fields import ExactString, Instant, Name, Word


class _MonthFact(Event, topic="sla-months"):
    month_key: Name
    """`<service>:<stage>:<month>`: the record's key. The last record of a key counts."""
    service: Word
    stage: Word
    month: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}$")]
    """`2026-11`."""
    begins_at: Instant
    ends_at: Instant
    """The first instant after the month."""
    met: Annotated[int, Field(ge=0)]
    """Clocks of the stage that were met, by the instant for which the outcome counts."""
    breached: Annotated[int, Field(ge=0)]
    policy: Name
    """Name and version of the policy in force at the end of the month, whose objective counts."""
    objective: ExactString | None
    """The share of promises that had to be kept: `"19/20"`; null where the policy sets none."""
    allowed: Annotated[int, Field(ge=0)] | None
    """How many could be broken: the whole part of (1 - objective) × (met + breached); null without an objective or without an outcome."""
    remaining: int | None
    """`allowed` less `breached`; below zero when too many were broken, null where `allowed` is."""
    revision: Annotated[int, Field(ge=1)]
    """1 for `sla_month.closed`, counted up with each correction; a database that is built anew counts from 1 again."""


class SlaMonthClosed(_MonthFact, type="sla_month.closed"):
    """The month is over for a stage: how many promises were kept and broken, and what was left of the budget."""


class SlaMonthCorrected(_MonthFact, type="sla_month.corrected"):
    """What was published of a month is wrong in the light of what became known late; this is how it was."""

    supersedes: Name
    """The id of the event that it corrects."""
