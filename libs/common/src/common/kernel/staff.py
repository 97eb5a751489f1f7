"""Everybody at one instant: who is what, where and below whom, and who rates whom (D11-22, D11-25 … D11-27, X-18)."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from common.kernel.documents import Plain

LEVELS = ("manager", "supervisor", "specialist")
"""The three levels of D11-22: they decide who rates whom and how long a cycle is. Posts are an open list."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Member:
    """One person: number, post, where, and the direct superior's number. `level` is one of `LEVELS`, empty for a post outside them."""

    employee_id: str
    post: str
    department: str
    team: str
    superior: str | None
    level: str = ""
    section: str = ""
    region: str = ""
    roles: tuple[str, ...] = ()

    def document(self) -> Mapping[str, Plain]:
        """The row as text, as it is digested."""
        return {
            "employee_id": self.employee_id,
            "post": self.post,
            "level": self.level,
            "department": self.department,
            "section": self.section,
            "team": self.team,
            "region": self.region,
            "roles": sorted(self.roles),
            "superior": self.superior or "",
        }


@dataclass(frozen=True)
class Staff:
    """Everybody at one instant, by number, with what is asked of them; each answer costs no more than it is long."""

    members: tuple[Member, ...] = ()
    former: Callable[[], Sequence[Member]] = field(default=tuple, compare=False, repr=False)
    """Those who were members before and are none any more, as they were last."""

    def find(self, employee_id: str) -> Member | None:
        """The person of that number."""
        return self._by_number.get(employee_id)

    def has_known(self, employee_id: str) -> bool:
        """Whether the person of that number is a member, or was one before."""
        return employee_id in self._by_number or employee_id in self._former

    def raters_of(self, appraisee: Member) -> dict[str, tuple[str, ...]]:
        """Who rates a person, by group: the superior, peers under the same superior, and direct subordinates."""
        superior = self.superior_of(appraisee)
        everybody = {
            "superior": () if superior is None else (superior.employee_id,),
            "peer": tuple(number for number in self._peers.get(_peer_group(appraisee), ()) if number != appraisee.employee_id),
            "subordinate": self._below.get(appraisee.employee_id, ()),
        }
        # the manager is rated from above and below (D11-25), a specialist from above and beside (D11-27)
        groups = {"manager": ("superior", "subordinate"), "specialist": ("superior", "peer")}.get(appraisee.level)
        return {group: raters for group, raters in everybody.items() if groups is None or group in groups}

    def charged_with(self, appraisee: Member) -> tuple[str, ...]:
        """Whose cases count for a person: the own ones, and for those who lead, also those of everybody below (D11-33, X-40).

        Who has left still counts for whoever led them: what they did in the cycle is done.
        """
        found = {appraisee.employee_id: None}
        ahead = [appraisee.employee_id]
        for number in ahead:
            new = [one for one in (*self._below.get(number, ()), *self._once_below.get(number, ())) if one not in found]
            found |= dict.fromkeys(new)
            ahead += new
        return tuple(found)

    def superior_of(self, member: Member) -> Member | None:
        """The direct superior; None at the top, and where the post above is vacant."""
        return None if member.superior is None else self.find(member.superior)

    def holders(self, *roles: str) -> tuple[Member, ...]:
        """Who has one of the roles, by number; a post is a role of whoever holds it."""
        numbers = {number for role in roles for number in self._holders.get(role, ())}
        return tuple(self._by_number[number] for number in sorted(numbers))

    def document_of(self, member: Member) -> Mapping[str, Plain]:
        """A person's own part of the organisation as text, as it is digested: the own row, who rates, and who is charged to them."""
        raters = {group: list(numbers) for group, numbers in self.raters_of(member).items()}
        return {"member": member.document(), "raters": raters, "charged_with": sorted(self.charged_with(member))}

    @cached_property
    def _by_number(self) -> dict[str, Member]:
        return {one.employee_id: one for one in self.members}

    @cached_property
    def _below(self) -> dict[str, tuple[str, ...]]:
        return _grouped((one.superior, one.employee_id) for one in self.members if one.superior is not None)

    @cached_property
    def _former(self) -> dict[str, Member]:
        return {one.employee_id: one for one in self.former()}

    @cached_property
    def _once_below(self) -> dict[str, tuple[str, ...]]:
        return _grouped((one.superior, number) for number, one in self._former.items() if one.superior is not None)

    @cached_property
    def _peers(self) -> dict[tuple[str | None, ...], tuple[str, ...]]:
        return _grouped((_peer_group(one), one.employee_id) for one in self.members)

    @cached_property
    def _holders(self) -> dict[str, tuple[str, ...]]:
        return _grouped((role, one.employee_id) for one in self.members for role in {one.post, *one.roles})


def _grouped(pairs: Iterable[tuple[K, str]]) -> dict[K, tuple[str, ...]]:
    found: dict[K, list[str]] = {}
    for key, number in pairs:
        found.setdefault(key, []).append(number)
    return {key: tuple(sorted(numbers)) for key, numbers in found.items()}


def _peer_group(member: Member) -> tuple[str | None, ...]:
    """Peers have the same level, or post outside the levels, and the same superior; specialists also the same section and team (D11-27)."""
    where = (member.section, member.team) if member.level == "specialist" else (member.department,)
    return (member.level or member.post, member.superior, *where)
