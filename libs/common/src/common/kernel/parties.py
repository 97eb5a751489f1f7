"""The organisation as HR describes it over time: what was said of it, and who was what as of an instant.

What HR says of an organisation is a change from an instant on: a whole picture, or one person who joins, is transferred or leaves.
Changes are put in order by that instant and never by their arrival, so whatever comes late finds its place.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from functools import cached_property
from typing import TypeVar

from common.kernel.errors import Refused, TooEarly
from common.kernel.staff import Member, Staff

V = TypeVar("V")


class Kind(IntEnum):
    """What a change is. At one instant a picture comes first, then who leaves, who joins and who is transferred."""

    DESCRIBED = 0
    LEFT = 1
    JOINED = 2
    TRANSFERRED = 3


@dataclass(frozen=True, slots=True)
class Change:
    """What HR said of one organisation, from `effective_at` on; `recorded_at` is when that became known.

    `members` are the rows of a whole picture, or the one row of who joins or is transferred; `leaver` is the number of who leaves.
    A picture may come in parts, from 1 to `parts`.
    """

    id: str
    org_id: str
    kind: Kind
    effective_at: datetime
    recorded_at: datetime
    members: tuple[Member, ...] = ()
    leaver: str = ""
    part: int = 1
    parts: int = 1

    @property
    def order(self) -> tuple[datetime, Kind, datetime, str]:
        """Its place among all changes; of two alike at one instant the one that was recorded later corrects the other."""
        return self.effective_at, self.kind, self.recorded_at, self.id

    def problem(self) -> Refused | None:
        """The rule that it breaks whatever else is known: a number twice, an unknown superior in a picture, somebody above themselves."""
        numbers = [one.employee_id for one in self.members]
        if len(set(numbers)) != len(numbers):
            return Refused("one_entry_a_person", field="members")
        if self.kind is not Kind.DESCRIBED:
            oneself = any(one.superior == one.employee_id for one in self.members)
            return Refused("nobody_is_above_themselves", field="member.superior") if oneself else None
        above = {one.employee_id: one.superior for one in self.members}
        if any(superior is not None and superior not in above for superior in above.values()):
            return Refused("superior_is_a_member", field="members")
        return Refused("nobody_is_above_themselves", field="members") if _has_circle(above) else None


_Rows = dict[str, tuple[Member, datetime]]
"""The members of one organisation by number, each with the instant since when the row stands."""


@dataclass(frozen=True)
class Organisation:
    """All organisations together, each described by itself under its `org_id`: every change that is known, in its order.

    `unfinished` are the parts of pictures of which others are still to come: they do not count yet.
    """

    changes: tuple[Change, ...] = ()
    unfinished: tuple[Change, ...] = ()
    _staff: dict[int, Staff] = field(default_factory=dict, compare=False, repr=False)
    _known: dict[int, "Organisation"] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, changes: Iterable[Change]) -> "Organisation":
        """The organisation of these changes, in whatever order they are given."""
        whole: list[Change] = []
        pictures: dict[str, dict[int, Change]] = {}
        for change in changes:
            if change.parts == 1:
                whole.append(change)
            else:
                pictures.setdefault(change.id, {})[change.part] = change
        for parts in pictures.values():
            if all(number in parts for number in range(1, parts[min(parts)].parts + 1)):
                rows = tuple(member for number in sorted(parts) for member in parts[number].members)
                whole.append(replace(parts[1], members=rows, parts=1))
        done = {one.id for one in whole}
        unfinished = tuple(one for id, parts in pictures.items() if id not in done for one in parts.values())
        return cls(tuple(sorted(whole, key=lambda one: one.order)), unfinished)

    def with_some(self, changes: Sequence[Change]) -> "Organisation":
        """The same with further changes."""
        return Organisation.of((*self.changes, *self.unfinished, *changes)) if changes else self

    def at(self, instant: datetime) -> Staff:
        """Who was what at an instant, with the changes that took effect at it."""
        return self._staff_of(bisect_right(self.changes, instant, key=_effective_at))

    def before(self, instant: datetime) -> Staff:
        """Who was what just before an instant: as a cycle that ends at it sees the organisation."""
        return self._staff_of(bisect_left(self.changes, instant, key=_effective_at))

    def as_of(self, instant: datetime) -> "Organisation":
        """What was known of it at an instant."""
        number = bisect_right(self._recorded, instant)
        if number == len(self.changes):
            return self
        if number not in self._known:
            _keep_few(self._known)
            self._known[number] = Organisation(tuple(one for one in self.changes if one.recorded_at <= instant))
        return self._known[number]

    def judge(self, change: Change) -> Refused | TooEarly | None:
        """Whether a new change fits to what was so at its own instant; None when it does.

        What an earlier change could still make right is too early: who joins twice has left in between, and that is on its way.
        """
        if (refused := change.problem()) is not None:
            return refused
        before = [one for one in self.changes if one.org_id == change.org_id and one.order < change.order]
        return _misfit(change, _rows(before))

    @cached_property
    def _recorded(self) -> list[datetime]:
        return sorted(one.recorded_at for one in self.changes)

    def _staff_of(self, number: int) -> Staff:
        if number not in self._staff:
            _keep_few(self._staff)
            self._staff[number] = _together(self.changes[:number])
        return self._staff[number]


_KEPT = 16
"""So many pictures of different instants are kept at once: who replays a year asks for them one after the other."""


def _keep_few(kept: dict[int, V]) -> None:
    if len(kept) >= _KEPT:
        del kept[next(iter(kept))]


def _effective_at(change: Change) -> datetime:
    return change.effective_at


def _together(changes: Iterable[Change]) -> Staff:
    """Everybody after these changes; who stands in two organisations is where the later word about the person has them."""
    of_one: dict[str, list[Change]] = {}
    for change in changes:
        of_one.setdefault(change.org_id, []).append(change)
    parts = [of_one[org_id] for org_id in sorted(of_one)]
    found = _latest(_rows(part) for part in parts)

    def former() -> tuple[Member, ...]:
        ever = _latest(_rows(part, ever=True) for part in parts)
        return tuple(ever[number][0] for number in sorted(ever.keys() - found.keys()))

    return Staff(tuple(found[number][0] for number in sorted(found)), former)


def _latest(parts: Iterable[_Rows | None]) -> _Rows:
    found: _Rows = {}
    for part in parts:
        for number, (member, since) in (part or {}).items():
            if number not in found or found[number][1] <= since:
                found[number] = member, since
    return found


def _rows(changes: Sequence[Change], *, ever: bool = False) -> _Rows | None:
    """The members of one organisation after these changes of it, in their order; None before it was described.

    With `ever` also those who are none any more, as they were last. A change that does not fit changes nothing: something that became
    known later has overtaken it.
    """
    rows: _Rows | None = None
    all_rows: _Rows = {}
    last_picture = max((number for number, one in enumerate(changes) if one.kind is Kind.DESCRIBED), default=0)
    for change in changes if ever else changes[last_picture:]:
        if _misfit(change, rows) is not None:
            continue
        taken = {one.employee_id: (one, change.effective_at) for one in change.members}
        all_rows |= taken
        if rows is None or change.kind is Kind.DESCRIBED:
            rows = taken
        elif change.kind is Kind.LEFT:
            del rows[change.leaver]
        else:
            rows |= taken
    return all_rows if ever and rows is not None else rows


def _misfit(change: Change, rows: _Rows | None) -> TooEarly | None:
    """What is missing for a change in an organisation of these members; None when it fits."""
    if change.kind is Kind.DESCRIBED:
        return None
    if rows is None:
        return TooEarly("described")
    if change.kind is Kind.LEFT:
        return None if change.leaver in rows else TooEarly("member_joined")
    (member,) = change.members
    if (member.employee_id in rows) is (change.kind is Kind.JOINED):
        return TooEarly("member_left" if change.kind is Kind.JOINED else "member_joined")
    if member.superior is not None and (member.superior not in rows or _is_below(rows, member.superior, member.employee_id)):
        return TooEarly("superior")
    return None


def _is_below(rows: _Rows, number: str, leader: str) -> bool:
    """Whether a person is a leader, or somewhere below them."""
    way: set[str] = set()
    next_above: str | None = number
    while next_above is not None and next_above not in way:
        if next_above == leader:
            return True
        way.add(next_above)
        next_above = rows[next_above][0].superior if next_above in rows else None
    return False


def _has_circle(above: Mapping[str, str | None]) -> bool:
    """Whether somebody is above themselves."""
    clear: set[str] = set()
    for start in above:
        way: set[str] = set()
        number: str | None = start
        while number is not None and number not in clear:
            if number in way:
                return True
            way.add(number)
            number = above.get(number)
        clear |= way
    return False
