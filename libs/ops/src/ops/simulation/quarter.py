"""A quarter of service: requests come in, people work on them, some too late, some badly, and customers say what they think."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import TypeVar

from common.contracts.claims import appraisal, complaints, dispatch, intake
from common.kernel.calendars import built_in
from ops.simulation.claims import Ledger, Sent
from ops.simulation.staff import Person, hire, opinion, raters

T = TypeVar("T")

_ON_SITE = timedelta(minutes=40)

REGIONS = ("north", "south", "east", "west")
PRODUCTS = ("refrigerator", "washing machine", "air conditioner", "water heater")
CHANNELS = ("hotline", "web", "app", "store")
_NATURES: dict[intake.Nature, int] = {"repair": 60, "installation": 15, "maintenance": 6, "consultation": 11, "complaint": 8}
_SEVERITIES: dict[intake.Severity, int] = {"low": 20, "normal": 55, "high": 20, "critical": 5}
_TRIGGERS = ("injury", "safety", "fraud", "group_complaint", "media", "regulator")
SCHEME = "department-360@1"
_QUARTERS = {"2026Q1": 1, "2026Q2": 4, "2026Q3": 7}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate: the same plan gives the same claims, on any day."""

    seed: int = 7
    cycle: str = "2026Q3"
    staff: int = 30
    cases: int = 400


def simulate(plan: Plan) -> list[Sent]:
    """The claims of a whole quarter in the order in which they happened, the ratings after its end included.

    Quarters of 2026 that have a statutory calendar and lie in the past: `2026Q1` to `2026Q3`. ValueError for others.
    """
    if plan.cycle not in _QUARTERS:
        raise ValueError(f"can simulate {', '.join(_QUARTERS)}")
    return list(_Quarter(plan).play())


class _Quarter:
    def __init__(self, plan: Plan) -> None:
        self.random = Random(plan.seed)  # noqa: S311 - a simulation has to be repeatable
        self.plan = plan
        self.ledger = Ledger(plan.seed)
        self.calendar = built_in("cn")
        self.people = hire(self.random, plan.staff)
        month = _QUARTERS[plan.cycle]
        self.start = datetime(2026, month, 1, tzinfo=self.calendar.zone).astimezone(UTC)
        self.end = datetime(2026, month + 3, 1, tzinfo=self.calendar.zone).astimezone(UTC)

    def play(self) -> Sequence[Sent]:
        members = [person.member() for person in self.people]
        self.ledger.say(appraisal.OrgDescribed(org_id="acme", members=members), self.start - timedelta(days=3))
        days = (self.end - self.start).days - 12  # what begins in the last days would end after the ratings
        for n in range(self.plan.cases):
            self.case(n, self.start + timedelta(days=self.random.randrange(days)))
        for person in self.people:
            if person.post != "manager":
                self.rate(person)
        return list(self.ledger.in_order())

    def case(self, n: int, day: datetime) -> None:
        at = self.moment(day)
        if self.random.random() < 0.06:
            self.direct_complaint(f"C{self.plan.seed}-{n:05}", at)
            return
        request = f"R{self.plan.seed}-{n:05}"
        nature = self.pick(_NATURES)
        severity = self.pick(_SEVERITIES)
        clerk = self.somebody("complaints" if nature == "complaint" else "reception")
        self.ledger.say(
            intake.ServiceRequestReceived(
                request_id=request,
                customer_id=f"K{self.random.randrange(10**6):06}",
                channel=self.random.choice(CHANNELS),
                nature=nature,
                severity=severity,
                region=self.random.choice(REGIONS),
                product=self.random.choice(PRODUCTS),
                handled_by=clerk.employee_id,
            ),
            at,
        )
        answered = self.later(at, 25 if self.is_good(clerk) else 240)
        self.ledger.say(intake.CustomerAnswered(request_id=request, by=clerk.employee_id), answered)
        if nature in ("repair", "installation", "maintenance"):
            ended, worker = self.work(f"{request}-w1", answered)
        elif nature == "complaint":
            ended, worker = self.complaint_steps(f"{request}-c1", answered, clerk), clerk
        else:
            ended, worker = self.later(answered, 120), clerk
        closed = self.later(ended, 60)
        self.ledger.say(intake.ServiceEnded(request_id=request, by=worker.employee_id), closed)
        if self.random.random() < 0.6:
            points = 5 - min(int(self.random.expovariate(1.2 if self.is_good(worker) else 0.45)), 4)
            self.ledger.say(intake.SurveyAnswered(request_id=request, satisfaction=points), self.later(closed, 600))

    def work(self, order: str, at: datetime) -> tuple[datetime, Person]:
        dispatcher, worker = self.somebody("reception"), self.somebody("repair")
        at = self.later(at, 30)
        self.assign(order, worker, dispatcher, at)
        if self.random.random() < 0.1:
            worker = self.somebody("repair")
            at = self.later(at, 90)
            self.assign(order, worker, dispatcher, at)
        by = worker.employee_id
        at = self.later(at, 20)
        self.ledger.say(dispatch.AssignmentTaken(work_order_id=order, by=by), at)
        if self.random.random() < 0.25:
            at = self.later(at, 60)
            party, reason = self.random.choice((("customer", "not at home"), ("parts", "spare part ordered")))
            self.ledger.say(dispatch.WorkHeldUp(work_order_id=order, party=party, reason=reason, by=by), at)  # type: ignore[arg-type]  # both are parties
            at = self.later(at, 900)
            self.ledger.say(dispatch.WorkTakenUp(work_order_id=order, by=by), at)
        begun, at = at, self.later(at, 240 if self.is_good(worker) else 2400)
        self.ledger.say(dispatch.TechnicianArrived(work_order_id=order, by=by), max(at - _ON_SITE, begun + (at - begun) / 2))
        self.ledger.say(dispatch.WorkFinished(work_order_id=order, by=by), at)
        if self.random.random() < 0.05:
            at = self.later(at, 900)
            self.ledger.say(dispatch.DefectCameBack(work_order_id=order, by=by), at)
            at = self.later(at, 300)
            self.ledger.say(dispatch.WorkFinished(work_order_id=order, by=by), at)
        return at, worker

    def assign(self, order: str, worker: Person, dispatcher: Person, at: datetime) -> None:
        by = dispatcher.employee_id
        self.ledger.say(dispatch.AssignmentMade(work_order_id=order, technician=worker.employee_id, team=worker.team, by=by), at)

    def direct_complaint(self, complaint: str, at: datetime) -> None:
        clerk = self.somebody("complaints")
        triggers = (self.random.choice(_TRIGGERS),) if self.random.random() < 0.2 else ()
        self.ledger.say(
            complaints.ComplaintLodged(
                complaint_id=complaint,
                customer_id=f"K{self.random.randrange(10**6):06}",
                category=self.random.choice(PRODUCTS),
                region=self.random.choice(REGIONS),
                handled_by=clerk.employee_id,
                triggers=triggers,
            ),
            at,
        )
        self.complaint_steps(complaint, at, clerk)

    def complaint_steps(self, complaint: str, at: datetime, clerk: Person) -> datetime:
        by, slow = clerk.employee_id, 1 if self.is_good(clerk) else 6
        at = self.later(at, 120 * slow)
        self.ledger.say(complaints.ComplainantTold(complaint_id=complaint, by=by), at)
        at = self.later(at, 60 * slow)
        self.ledger.say(complaints.VerificationBegun(complaint_id=complaint, by=by), at)
        at = self.later(at, 240 * slow)
        self.ledger.say(complaints.VerificationEnded(complaint_id=complaint, justified=self.random.random() < 0.7, by=by), at)
        at = self.later(at, 120 * slow)
        remedy = self.random.choice(("repair", "replacement", "refund", "apology"))
        self.ledger.say(complaints.SolutionFound(complaint_id=complaint, remedy=remedy, by=by), at)
        at = self.later(at, 60 * slow)
        self.ledger.say(complaints.SolutionTold(complaint_id=complaint, by=by), at)
        return at

    def rate(self, person: Person) -> None:
        for n, rater in enumerate(raters(self.people, person)):
            self.ledger.say(
                appraisal.RatingGiven(
                    rating_id=f"{self.plan.cycle}-{person.employee_id}-{n}",
                    cycle=self.plan.cycle,
                    scheme=SCHEME,
                    appraisee=person.employee_id,
                    appraiser=rater,
                    score=opinion(self.random, person),
                ),
                self.end + timedelta(days=2, minutes=self.random.randrange(600)),
            )

    def moment(self, day: datetime) -> datetime:
        """Most customers call by day, some at night and on holidays."""
        local = day.astimezone(self.calendar.zone).date()
        hour = self.random.triangular(8, 20, 10) if self.random.random() < 0.93 else self.random.uniform(0, 24)
        seconds = int(hour * 3600) % 86_400
        return datetime.combine(local, time(), tzinfo=self.calendar.zone).astimezone(UTC) + timedelta(seconds=seconds)

    def later(self, at: datetime, minutes: float) -> datetime:
        """Some working time later, of which `minutes` is the usual amount."""
        amount = timedelta(seconds=int(60 * minutes * self.random.lognormvariate(-0.4, 0.5)))
        return self.calendar.after_working_time(at, amount).astimezone(UTC)

    def is_good(self, person: Person) -> bool:
        return self.random.random() < person.skill

    def somebody(self, team: str) -> Person:
        return self.random.choice([person for person in self.people if person.post == "specialist" and person.team == team])

    def pick(self, weights: Mapping[T, int]) -> T:
        return self.random.choices(list(weights), list(weights.values()))[0]
