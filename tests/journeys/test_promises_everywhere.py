"""What is said of a promise ends the same in each service that keeps clocks: in its ledger, on `sla-clocks`, in the ratio and the facts."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest
from tests.complaints.test_promises_on_database import IN_FIVE_DAYS, SOLUTION, at, lodged, solved
from tests.dispatch.test_dispatch_on_database import assigned, finished, registered
from tests.harness import ServiceOnDatabase, activated, claim, service_on
from tests.intake.test_intake_on_database import answered, received

from common.contracts.claims.complaints import ComplaintPromiseExtended, ComplaintPromiseRestarted, ComplaintPromisesVoided
from common.contracts.claims.dispatch import WorkOrderPromiseExtended, WorkOrderPromiseRestarted, WorkOrderPromisesVoided
from common.contracts.claims.intake import RequestPromiseExtended, RequestPromiseRestarted, RequestPromisesVoided
from common.contracts.claims.promises import PromiseExtended, PromiseRestarted, PromisesVoided
from common.contracts.envelope import Record
from common.contracts.sla_clocks import (
    SlaClockBreached,
    SlaClockCorrected,
    SlaClockExtended,
    SlaClockExtensionRefused,
    SlaClockMet,
    SlaClockRestarted,
    SlaClockRestartRefused,
    SlaClockVoided,
)
from common.sla.policy import shipped_document
from common.store import clock_outcomes, clocks

pytestmark = pytest.mark.real

BEGIN, DUE = at("16:00"), at("18:00", 10)
"""Every promise is given on Monday the 7th, and is due on Thursday; five working days end on Monday the 14th."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise of a service, how it begins and is kept, and what can be said of it."""

    service: str
    stage: str
    another: str
    """A stage that begins with it."""
    indicators: tuple[str, ...]
    names: str
    """The field of its claims that names the case."""
    voids: type[PromisesVoided]
    extends: type[PromiseExtended]
    restarts: type[PromiseRestarted]
    begins: Callable[[str], list[Record]]
    ends: Callable[[str, datetime], list[Record]]

    @property
    def policy(self) -> Record:
        """The operator's policy: three working days for every case, which may be made five once, and begin anew twice."""
        document = shipped_document(self.service) | {"version": 2}
        rule: dict[str, Any] = {
            "target": {"working_days": 3, "meaning": "end_of_day"},
            "calendar": "cn",
            "indicators": list(self.indicators),
            "extensions": {"at_most": 1, "up_to": IN_FIVE_DAYS},
            "restarts": 2,
        }
        document["stages"] = {**document["stages"], self.stage: [rule]}
        return claim(activated("sla-policy", self.service, 2, document, at("08:00")), at("08:00"))

    def voided(self, case: str, when: datetime, *, owed: bool = True, stage: str = "") -> Record:
        return claim(self.voids(**{self.names: case}, stages=(stage or self.stage,), reason="merged", owed=owed, by="E9"), when)

    def extended(self, case: str, when: datetime) -> Record:
        return claim(self.extends(**{self.names: case}, stage=self.stage, target=IN_FIVE_DAYS, reason="part on order", by="E9"), when)

    def restarted(self, case: str, when: datetime) -> Record:
        about: dict[str, Any] = {self.names: case, "stage": self.stage, "reason": "next_update", "by": "E9"}
        return claim(self.restarts(**about), when)

    def facts(self, numerator: int, denominator: int, when: datetime) -> dict[tuple[str, str], tuple[str, str, datetime]]:
        """What is said of E1, whose promise it is."""
        return self.facts_of_round("", numerator, denominator, when)

    def facts_of_round(
        self, round: str, numerator: int, denominator: int, when: datetime
    ) -> dict[tuple[str, str], tuple[str, str, datetime]]:
        """The same of a later round: `, round 2`."""
        return {(f"{indicator}{round}", "employee:E1"): (str(numerator), str(denominator), when) for indicator in self.indicators}


PROMISES = [
    Promise(
        "intake",
        "first_response",
        "closure",
        ("in_time_response",),
        "request_id",
        RequestPromisesVoided,
        RequestPromiseExtended,
        RequestPromiseRestarted,
        begins=lambda case: [received(case, BEGIN)],
        ends=lambda case, when: [answered(case, when)],
    ),
    Promise(
        "dispatch",
        "completion",
        "arrival",
        ("in_time_solution",),
        "work_order_id",
        WorkOrderPromisesVoided,
        WorkOrderPromiseExtended,
        WorkOrderPromiseRestarted,
        begins=lambda case: [registered(case.removesuffix("-w1"), BEGIN), assigned(case, at("16:30"))],
        ends=lambda case, when: [finished(case, when)],
    ),
    Promise(
        "complaints",
        SOLUTION,
        "acknowledged",
        ("in_time_solution", "complaint_handling"),
        "complaint_id",
        ComplaintPromisesVoided,
        ComplaintPromiseExtended,
        ComplaintPromiseRestarted,
        begins=lambda case: [lodged(case)],
        ends=solved,
    ),
]


@pytest.fixture(params=PROMISES, ids=lambda promise: promise.service)
def promise(request: pytest.FixtureRequest) -> Promise:
    found: Promise = request.param
    return found


@pytest.fixture
async def service(promise: Promise, database: str) -> AsyncIterator[ServiceOnDatabase]:
    """The service under the operator's policy."""
    async with service_on(promise.service, database) as service:
        await service.apply([promise.policy])
        yield service


async def told(service: ServiceOnDatabase, promise: Promise, case: str) -> list[tuple[str, datetime, str]]:
    """What `sla-clocks` says of one promise after its beginning: (type, time, outcome of a correction or why an extension was none)."""
    id = f"{promise.service}:{case}:{promise.stage}"
    found = [event for event in await service.all_published() if getattr(event, "clock_id", "") == id]
    said = [(event.TYPE, event.time, getattr(event, "outcome", getattr(event, "why", ""))) for event in found]
    return [one for one in said if one[0].partition(".")[2] not in ("started", "at_risk", "owner_changed")]


async def ledger(service: ServiceOnDatabase, promise: Promise, case: str) -> Counter[str]:
    """How often each thing stands in the ledger of one promise."""
    rows = await service.rows("SELECT type FROM clock_events WHERE clock_id = :id", id=f"{promise.service}:{case}:{promise.stage}")
    return Counter(row["type"] for row in rows)


async def clock(service: ServiceOnDatabase, promise: Promise, case: str) -> dict[str, Any]:
    query = "SELECT state, outcome, deadline, closed_at FROM clocks WHERE id = :id"
    (row,) = await service.rows(query, id=f"{promise.service}:{case}:{promise.stage}")
    return row


async def test_a_void_promise_leaves_the_ratio_and_the_facts(service: ServiceOnDatabase, promise: Promise) -> None:
    kept, broken, void, forgiven, undone = (f"{name}-w1" for name in ("KEPT", "BROKEN", "VOID", "FORGIVEN", "UNDONE"))
    for case in (kept, broken, void, forgiven, undone):
        await service.apply(promise.begins(case))
    await service.apply([*promise.ends(kept, at("12:00", 9)), *promise.ends(undone, at("12:00", 9)), promise.voided(void, at("09:00", 8))])
    await service.let_time_pass()
    late = [
        promise.voided(broken, at("09:00", 14)),
        promise.voided(forgiven, at("09:00", 14), owed=False),
        promise.voided(undone, at("09:00", 8)),
    ]
    await service.apply([*late, promise.voided(void, at("09:00", 8)), *late])  # all of them twice
    await service.let_time_pass()
    voided, met, breached, corrected = (kind.TYPE for kind in (SlaClockVoided, SlaClockMet, SlaClockBreached, SlaClockCorrected))
    assert {case: await told(service, promise, case) for case in (kept, broken, void, forgiven, undone)} == {
        kept: [(met, at("12:00", 9), "")],
        broken: [(breached, DUE, ""), (voided, at("09:00", 14), "")],
        void: [(voided, at("09:00", 8), "")],
        forgiven: [(breached, DUE, ""), (voided, at("09:00", 14), ""), (corrected, at("09:00", 14), "void")],
        undone: [(met, at("12:00", 9), ""), (voided, at("09:00", 8), ""), (corrected, at("12:00", 9), "void")],
    }
    first = {event.clock_id: event.envelope.id for kind in (SlaClockMet, SlaClockBreached) for event in await service.published(kind)}
    assert all(event.supersedes == first[event.clock_id] for event in await service.published(SlaClockCorrected))
    assert [(await ledger(service, promise, case))["voided"] for case in (kept, broken, void, forgiven, undone)] == [0, 1, 1, 1, 1]
    assert [(await clock(service, promise, case))["outcome"] for case in (broken, void, forgiven)] == ["breached", "void", "void"]
    assert {case: await service.facts(case) for case in (kept, broken, void, forgiven, undone)} == {
        kept: promise.facts(1, 1, at("12:00", 9)),
        broken: promise.facts(0, 1, DUE),
        void: {},
        forgiven: promise.facts(0, 0, DUE),
        undone: promise.facts(0, 0, at("12:00", 9)),
    }
    await service.rows("UPDATE clocks SET closed_at = now() - interval '1 hour' WHERE closed_at IS NOT NULL RETURNING id")
    async with service.database.transaction() as connection:
        assert (await clock_outcomes.compliance(connection))[promise.stage, "1d"] == 1 / 2, "one was kept and one was broken"
        assert promise.stage not in await clocks.open_by_stage(connection)


async def test_an_extension_counts_by_its_own_time_whenever_it_becomes_known(service: ServiceOnDatabase, promise: Promise) -> None:
    ahead, afterwards, too_late, without = "AHEAD-w1", "AFTERWARDS-w1", "LATE-w1", "WITHOUT-w1"
    for case in (ahead, afterwards, too_late, without):
        await service.apply(promise.begins(case))
    await service.apply([promise.extended(ahead, DUE)] * 2)
    assert (await clock(service, promise, ahead))["deadline"] == at("18:00", 14), "at its deadline it can still be extended"
    for case in (ahead, afterwards, too_late, without):
        await service.apply(promise.ends(case, at("12:00", 14)))
    await service.apply([promise.extended(afterwards, DUE), promise.extended(too_late, at("18:01", 10))] * 2)
    extended, refused, met, breached, corrected = (
        kind.TYPE for kind in (SlaClockExtended, SlaClockExtensionRefused, SlaClockMet, SlaClockBreached, SlaClockCorrected)
    )
    assert {case: await told(service, promise, case) for case in (ahead, afterwards, too_late)} == {
        ahead: [(extended, DUE, ""), (met, at("12:00", 14), "")],
        afterwards: [(breached, DUE, ""), (extended, DUE, ""), (corrected, at("12:00", 14), "met")],
        too_late: [(breached, DUE, ""), (refused, at("18:01", 10), "after_deadline")],
    }
    assert [(await ledger(service, promise, case))["extended"] for case in (ahead, afterwards, too_late)] == [1, 1, 1]
    for case in (ahead, afterwards):
        assert await service.facts(case) == promise.facts(1, 1, at("12:00", 14)), case
    assert await clock(service, promise, too_late) == await clock(service, promise, without)
    assert await service.facts(too_late) == await service.facts(without) == promise.facts(0, 1, DUE)


async def test_each_round_of_a_promise_that_begins_anew_has_an_outcome_of_its_own(service: ServiceOnDatabase, promise: Promise) -> None:
    before, broken, kept, often = (f"{name}-w1" for name in ("BEFORE", "BROKEN", "KEPT", "OFTEN"))
    for case in (before, broken, kept, often):
        await service.apply(promise.begins(case))
    await service.apply([*promise.ends(kept, at("12:00", 9)), *[promise.restarted(before, at("10:00", 8))] * 2])
    await service.apply(promise.restarted(often, at("09:00", day)) for day in (8, 9, 10))
    await service.let_time_pass()  # up to today: whatever is not ended is breached
    await service.apply([promise.restarted(broken, at("09:00", 14)), promise.restarted(kept, at("09:00", 10))] * 2)
    await service.apply([*promise.ends(before, at("12:00", 11)), *promise.ends(broken, at("12:00", 15))])
    await service.let_time_pass()
    restarted, refused, met, breached, corrected = (
        kind.TYPE for kind in (SlaClockRestarted, SlaClockRestartRefused, SlaClockMet, SlaClockBreached, SlaClockCorrected)
    )
    assert {case: await told(service, promise, case) for case in (broken, kept, often)} == {
        broken: [(breached, DUE, ""), (restarted, at("09:00", 14), ""), (met, at("12:00", 15), "")],
        kept: [(met, at("12:00", 9), ""), (restarted, at("09:00", 10), ""), (breached, at("18:00", 15), "")],
        often: [
            (restarted, at("09:00", 8), ""),
            (restarted, at("09:00", 9), ""),
            (refused, at("09:00", 10), "too_many"),
            (breached, at("18:00", 14), ""),
        ],
    }
    assert [one[0] for one in await told(service, promise, before)][:2] == [restarted, breached]
    assert (await told(service, promise, before))[-1] == (corrected, at("12:00", 11), "met")
    assert [(event.round, event.ended) for event in await service.published(SlaClockRestarted)] == [
        (2, "superseded"), (2, "superseded"), (3, "superseded"), (2, "breached"), (2, "met")
    ]  # fmt: skip
    second = ", round 2"
    assert {case: await service.facts(case) for case in (before, broken, kept)} == {
        before: promise.facts_of_round(second, 1, 1, at("12:00", 11)),
        broken: promise.facts(0, 1, DUE) | promise.facts_of_round(second, 1, 1, at("12:00", 15)),
        kept: promise.facts(1, 1, at("12:00", 9)) | promise.facts_of_round(second, 0, 1, at("18:00", 15)),
    }
    for table in ("clocks", "clock_rounds"):
        await service.rows(f"UPDATE {table} SET closed_at = now() - interval '1 hour' WHERE closed_at IS NOT NULL RETURNING stage")
    async with service.database.transaction() as connection:
        assert (await clock_outcomes.compliance(connection))[promise.stage, "1d"] == 3 / 6, "each round that was kept or broken counts once"


async def test_rounds_end_the_same_in_any_order_while_time_passes(service: ServiceOnDatabase, promise: Promise) -> None:
    def said(case: str) -> list[list[Record]]:
        return [
            promise.begins(case),
            [promise.restarted(case, at("10:00", 8))],
            [promise.extended(case, at("17:00", 10))],
            promise.ends(case, at("12:00", 14)),
            [promise.restarted(case, at("09:00", 16))],
        ]

    orders = {f"P{number}-w1": order for number, order in enumerate(permutations(range(5))) if number % 7 == 5}
    await service.apply(record for records in said("C-w1") for record in records)
    for place in range(6):
        await service.apply(record for case, order in orders.items() for record in said(case)[(*order, order[0])[place]])
        await service.let_time_pass()
    ends = await service.ends(["C-w1", *orders])
    for end in ends.values():  # what is taken back as 0 of 0 was said by some orders only
        end["facts"] = {place: fact for place, fact in end["facts"].items() if fact[1] != "0"}
    rounds = [(row["round"], row["outcome"]) for row in ends["C-w1"]["clocks"] if "round" in row]
    assert rounds == [(0, "superseded"), (1, "met")]
    second, third = promise.facts_of_round(", round 2", 1, 1, at("12:00", 14)), promise.facts_of_round(", round 3", 0, 1, at("18:00", 23))
    assert ends["C-w1"]["facts"] == second | third, "the third round has the five days to which the second was extended"
    for case, order in orders.items():
        assert ends[case] == ends["C-w1"], order


async def test_any_order_and_any_repetition_ends_the_same_while_time_passes(service: ServiceOnDatabase, promise: Promise) -> None:
    def said(case: str) -> list[list[Record]]:
        return [
            promise.begins(case),
            [promise.extended(case, at("17:00", 10))],
            [promise.extended(case, at("09:00", 15))],  # one too many, and after the deadline
            promise.ends(case, at("12:00", 14)),
            [promise.voided(case, at("09:00", 16), owed=False, stage=promise.another)],
        ]

    orders = {f"P{number}-w1": order for number, order in enumerate(permutations(range(5))) if number % 7 == 5}
    await service.apply(record for records in said("C-w1") for record in records)
    for place in range(6):
        await service.apply(record for case, order in orders.items() for record in said(case)[(*order, order[0])[place]])
        await service.let_time_pass()
    ends = await service.ends(["C-w1", *orders])
    for end in ends.values():  # what the department was charged with until its technician was known is taken back as 0 of 0
        end["facts"] = {place: fact for place, fact in end["facts"].items() if fact[1] != "0"}
    outcomes = {row["stage"]: row["outcome"] for row in ends["C-w1"]["clocks"]}
    assert (outcomes[promise.stage], outcomes[promise.another]) == ("met", "void")
    assert ends["C-w1"]["facts"] == promise.facts(1, 1, at("12:00", 14))
    for case, order in orders.items():
        assert ends[case] == ends["C-w1"], order
    assert await service.rows("SELECT * FROM waiting") == []
