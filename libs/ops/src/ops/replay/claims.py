"""The claims that a case's steps stand for, made and checked by our contracts."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from common.contracts.event import Envelope, Event
from common.contracts.topics import topic_of
from common.kernel.ids import derived_id
from common.kernel.instants import from_micros
from ops.replay.mapping import ClaimRule, Mapping
from ops.replay.rows import Row, Step, Unusable


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


class RefusedRow(Exception):
    """A row does not become the claims that the mapping declares."""

    def __init__(self, row: Row, reason: str) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason


def planned(steps: Iterable[Step], mapping: Mapping) -> list[Planned]:
    """The claims of one case in the order of its steps; raises `RefusedRow` for the first row that our contracts refuse."""
    rules: dict[str, list[ClaimRule]] = {}
    for rule in mapping.claims:
        rules.setdefault(rule.moment, []).append(rule)
    found: list[Planned] = []
    first: Row | None = None
    for moment, row in steps:
        first = first or row
        for rule in rules.get(moment, ()):
            claim = _made(rule, row, first, mapping.rules[row.rule].sets)
            place = found[-1].place + 1 if found and found[-1].at == row.at else 0
            found.append(Planned(claim, row.number, row.at, place))
    return found


def _made(rule: ClaimRule, row: Row, first: Row, sets: Table[str, str]) -> Event:
    try:
        return rule.claim(**{field.name: field.of(row, first, sets) for field in rule.fields})
    except Unusable as problem:
        raise RefusedRow(row, problem.reason) from None
    except ValidationError as error:
        raise RefusedRow(row, f"refused:{rule.claim.TYPE}:{_where(error)}") from None


def _where(error: ValidationError) -> str:
    where: Sequence[int | str] = error.errors(include_url=False, include_input=False, include_context=False)[0]["loc"]
    return ".".join(map(str, where))
