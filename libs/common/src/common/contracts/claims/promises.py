"""What can be said of the promises of any case; each service takes them on the topic of its own claims, about its own cases."""

from typing import Annotated

from pydantic import Field

from common.contracts.event import Claim
from common.contracts.fields import EmployeeId, TargetDocument, Word

Stages = Annotated[tuple[Word, ...], Field(min_length=1, max_length=20)]


class PromisesVoided(Claim):
    """The fields of a claim that promises end without an outcome: the case was cancelled, merged or spam, or one was taken back."""

    stages: Stages
    """Which promises; the others go on."""
    reason: Word
    """`cancelled`, `merged`, `spam`, `duplicate`, `taken_back` …"""
    owed: bool = True
    """False where there never was a promise to keep (spam, a duplicate): then a breach is taken back as well."""
    by: EmployeeId | None = None


class PromiseExtended(Claim):
    """The fields of a claim that a customer was told of another target, at the time of the claim and before the deadline."""

    stage: Word
    target: TargetDocument
    """What is promised now, counted from the start of the clock: `{"working_days": 5, "meaning": "end_of_day"}`."""
    reason: Word
    by: EmployeeId | None = None


class PromiseRestarted(Claim):
    """The fields of a claim that a promise begins anew at the time of the claim: the next update, the work of another team.

    The round that it ends keeps its own outcome, and counts for nobody where it was neither kept nor broken by then. How often that may
    be is for the policy to say.
    """

    stage: Word
    target: TargetDocument | None = None
    """What is promised from now on, `{"working_seconds": 14400}`; the last target where it is left out."""
    reason: Word
    """`next_update`, `reassigned`, `reopened` …"""
    by: EmployeeId | None = None
