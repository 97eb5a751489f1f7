"""The organisation as HR describes it: who is whose superior, and which raters follow from that (D11-25 … D11-27, X-18)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from appraisal.domain.digest import Plain, digest


@dataclass(frozen=True, slots=True)
class Member:
    """One person: number, post (manager, supervisor, specialist), department, team, and the direct superior's number."""

    employee_id: str
    post: str
    department: str
    team: str
    superior: str | None


@dataclass(frozen=True, slots=True)
class OrgSnapshot:
    """The whole organisation from `effective_at` on."""

    id: str
    org_id: str
    effective_at: datetime
    members: tuple[Member, ...]

    def document(self) -> Plain:
        """The snapshot as text, as it is digested: sorted by number, whatever order HR wrote."""
        return {
            "org_id": self.org_id,
            "members": [
                {
                    "employee_id": one.employee_id,
                    "post": one.post,
                    "department": one.department,
                    "team": one.team,
                    "superior": one.superior or "",
                }
                for one in sorted(self.members, key=lambda one: one.employee_id)
            ],
        }

    @property
    def digest(self) -> str:
        """`sha256:…` over the document."""
        return digest(self.document())

    def find(self, employee_id: str) -> Member | None:
        """The person of that number."""
        return next((one for one in self.members if one.employee_id == employee_id), None)

    def raters_of(self, appraisee: Member) -> dict[str, tuple[str, ...]]:
        """Who rates a person, by group: the superior, peers of the same post under the same superior, and direct subordinates."""
        superior = (appraisee.superior,) if appraisee.superior and self.find(appraisee.superior) else ()
        peers = self._numbers(one for one in self.members if one != appraisee and self._is_peer(one, appraisee))
        subordinates = self._numbers(one for one in self.members if one.superior == appraisee.employee_id)
        # the manager is rated from above and below (D11-25), a specialist from above and beside (D11-27)
        groups = {"manager": ("superior", "subordinate"), "specialist": ("superior", "peer")}.get(appraisee.post)
        everybody = {"superior": superior, "peer": peers, "subordinate": subordinates}
        return {group: raters for group, raters in everybody.items() if groups is None or group in groups}

    def charged_with(self, appraisee: Member) -> tuple[str, ...]:
        """Whose cases count for a person: the own ones, and for those who lead, also those of everybody below (D11-33, X-40)."""
        found = [appraisee.employee_id]
        for number in found:
            found += [one.employee_id for one in self.members if one.superior == number and one.employee_id not in found]
        return tuple(found)

    def problem(self) -> str | None:
        """The rule that the snapshot breaks, if any: a number twice, an unknown superior, a circle."""
        numbers = [one.employee_id for one in self.members]
        if len(set(numbers)) != len(numbers):
            return "one_entry_a_person"
        by_number = {one.employee_id: one for one in self.members}
        for one in self.members:
            if one.superior is not None and one.superior not in by_number:
                return "superior_is_a_member"
            seen = {one.employee_id}
            above = one.superior
            while above is not None:
                if above in seen:
                    return "nobody_is_above_themselves"
                seen.add(above)
                above = by_number[above].superior if above in by_number else None
        return None

    @staticmethod
    def _is_peer(one: Member, other: Member) -> bool:
        same_group = one.team == other.team if other.post == "specialist" else one.department == other.department
        return one.post == other.post and one.superior == other.superior and same_group

    @staticmethod
    def _numbers(members: Iterable[Member]) -> tuple[str, ...]:
        return tuple(sorted(one.employee_id for one in members))


def together(snapshots: Sequence[OrgSnapshot]) -> OrgSnapshot:
    """One picture of parts that HR describes apart, each under its own `org_id`; who stands in two is where the later one has him."""
    if len(snapshots) == 1:
        return snapshots[0]
    in_order = sorted(snapshots, key=lambda one: (one.effective_at, one.id))
    members = {member.employee_id: member for snapshot in in_order for member in snapshot.members}
    parts = "+".join(sorted(one.org_id for one in snapshots))
    return OrgSnapshot("+".join(one.id for one in in_order), parts, in_order[-1].effective_at, tuple(members.values()))
