"""The people of the simulated department, how good they are, and what their raters think."""

from dataclasses import dataclass
from random import Random

from common.contracts.claims.appraisal import OrgMember, Post

DEPARTMENT = "after-sales"
TEAMS = ("reception", "repair", "complaints")
_SHARES = (8, 12, 6)


@dataclass(frozen=True, slots=True)
class Person:
    """One member of staff; `skill` from 0 to 1 is how likely the person is in time and pleases the customer."""

    employee_id: str
    post: Post
    team: str
    superior: str | None
    skill: float

    def member(self) -> OrgMember:
        """The person as HR describes them."""
        return OrgMember(employee_id=self.employee_id, post=self.post, department=DEPARTMENT, team=self.team, superior=self.superior)


def hire(random: Random, staff: int) -> list[Person]:
    """A manager, a supervisor for each of three teams, and specialists: `staff` people in all, at least 10."""
    people = [Person("E1001", "manager", "office", None, 0.9)]
    supervisors = {team: f"E10{n:02}" for n, team in enumerate(TEAMS, start=2)}
    people += [Person(number, "supervisor", team, "E1001", random.uniform(0.75, 0.95)) for team, number in supervisors.items()]
    specialists = max(staff, 10) - len(people)
    teams = [team for team, share in zip(TEAMS, _SHARES, strict=True) for _ in range(share)]
    for n in range(specialists):
        team = teams[n * len(teams) // specialists]
        people.append(Person(f"E11{n:02}", "specialist", team, supervisors[team], random.betavariate(6, 2)))
    return people


def raters(people: list[Person], person: Person) -> list[str]:
    """Who rates a person: superior, and peers or subordinates as the post has them (D11-25 … D11-27)."""
    found = [person.superior] if person.superior else []
    same = [one.employee_id for one in people if one != person and one.post == person.post and one.superior == person.superior]
    if person.post == "specialist":
        same = [number for number in same if any(one.employee_id == number and one.team == person.team for one in people)]
    below = [one.employee_id for one in people if one.superior == person.employee_id]
    return found + same + below


def opinion(random: Random, person: Person) -> str:
    """A rater's score, in half points, around what the person is worth."""
    score = min(max(random.gauss(55 + 42 * person.skill, 5), 30), 100)
    return f"{round(score * 2) / 2:.1f}".removesuffix(".0")
