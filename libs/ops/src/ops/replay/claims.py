"""The claims that a case's steps stand for, made and checked by our contracts."""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError

from common.contracts.envelope import FIRST
from common.contracts.event import Envelope, Event
from common.contracts.topics import topic_of
from common.kernel.ids import derived_id
from common.kernel.instants import from_micros, to_micros
from ops.replay.claim_rules import ClaimRule
from ops.replay.mapping import LogMapping
from ops.replay.rows import Row, Step, Unusable

_EARLIEST = to_micros(FIRST)


class Planned(NamedTuple):
    """A claim that was checked, with the row that it comes from and when it happened."""

    claim: Event
    row: int
    at: int
    place: int
    """How many claims of the case stand before it at the same instant."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a replay's events come from: the mapping and the file's digest, which also give them their ids."""

    mapping: str
    sha256: str

    def envelope(self, planned: Planned) -> Envelope:
        """The envelope of a claim: the same one in every replay of the same file (decisions 14)."""
        at = from_micros(planned.at, UTC)
        claim = planned.claim
        # ids sort as the claims do, also where several have one instant
        place = timedelta(milliseconds=planned.place)
        return Envelope(
            id=derived_id(at + place, "replay", self.mapping, self.sha256, planned.row, claim.TYPE),
            source=f"/replay/{self.mapping}",
            type=claim.TYPE,
            subject=topic_of(type(claim)).key_of(claim),
            time=at,
            recorded_at=at,
            replay_of=f"{self.mapping}:{self.sha256[:12]}",
        )


@dataclass(frozen=True, slots=True)
class CaseClaims:
    """The claims of a case in the order of its steps, and the rows that make none, each with why our contracts refuse it."""

    made: list[Planned]
    refused: list[tuple[int, list[str]]]


Teller = Callable[[Any, Row, LogMapping], tuple[Sequence[Step], Any]]
"""The steps of a row for a case that stands as its rows before have left it (None for the first), and how it stands then."""


def claims_of(case: Iterable[Row], tell: Teller, mapping: LogMapping) -> CaseClaims:
    """The claims of one case. A row of which our contracts refuse a claim makes none, and the next goes on without it.

    Each row is asked once, so that a case with many refusals takes no longer than one with none.
    """
    found = CaseClaims([], [])
    stands: Any = None
    first: Row | None = None
    for row in case:
        steps, after = tell(stands, row, mapping)
        reasons = _add_claims(found.made, steps, row, first or row, mapping)
        if reasons:
            found.refused.append((row.number, reasons))
        else:
            stands, first = after, first or row
    return found


def _add_claims(claims: list[Planned], steps: Iterable[Step], row: Row, first: Row, mapping: LogMapping) -> list[str]:
    """Adds what a row claims; why it cannot be claimed when our contracts refuse any of it, and then adds nothing."""
    before = len(claims)
    reasons: list[str] = []
    for moment, at in steps:
        for rule in mapping.claims_at(moment):
            claim = _made(rule, row, first, mapping.rules[row.rule].sets) if at >= _EARLIEST else f"refused:{rule.claim.TYPE}:time"
            if isinstance(claim, str):
                reasons.append(claim)
            else:
                last = claims[-1] if claims else None
                claims.append(Planned(claim, row.number, at, last.place + 1 if last and last.at == at else 0))
    if reasons:
        del claims[before:]
    return reasons


def _made(rule: ClaimRule, row: Row, first: Row, sets: Table[str, str]) -> Event | str:
    """The claim, or why our contracts refuse it."""
    try:
        return rule.claim(**{field.name: field.of(row, first, sets) for field in rule.fields})
    except Unusable as problem:
        return problem.reason
    except ValidationError as error:
        return f"refused:{rule.claim.TYPE}:{_where(error)}"


def _where(error: ValidationError) -> str:
    where: Sequence[int | str] = error.errors(include_url=False, include_input=False, include_context=False)[0]["loc"]
    return ".".join(map(str, where))
