"""Every process, cell by cell: each step in each status, taken through the methods that use cases call, does what is written here."""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from common.kernel.clocks import Clocks
from common.kernel.errors import Refused, TooEarly
from common.kernel.process import Case
from common.kernel.works import WorkStep
from complaints.domain.complaint import Complaint
from dispatch.domain.work_order import WorkOrder
from intake.domain.service_request import ServiceRequest

MONDAY_0900 = datetime(2026, 7, 6, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SERVICES = ("intake", "dispatch", "complaints", "appraisal")

Decision = Case[Any, Any] | Refused | TooEarly

WORK_ORDER = """
           assigned  accepted          held_up         taken_up       completed          reopened         judged    arrived
created    assigned  waits:assigned    waits:assigned  waits:held_up  waits:assigned     waits:completed  created   waits:assigned
assigned   assigned  accepted          held_up         waits:held_up  completed          waits:completed  assigned  accepted
accepted   assigned  no:accepted_once  held_up         waits:held_up  completed          waits:completed  accepted  accepted
held_up    held_up   held_up           waits:taken_up  accepted       completed          waits:completed  held_up   held_up
completed  over      over              over            over           no:completed_once  accepted         over      over
"""


SERVICE_REQUEST = """
                     answered          closed          surveyed        reopened
registered           answered          waits:answered  waits:closed    registered
answered             no:answered_once  closed          waits:closed    answered
closed               no:answered_once  waits:reopened  surveyed        reopened_unsurveyed
surveyed             no:answered_once  waits:reopened  waits:reopened  reopened
reopened             no:answered_once  closed          waits:closed    reopened
reopened_unsurveyed  no:answered_once  closed          reopened        reopened_unsurveyed
"""


def in_table(text: str) -> Callable[[Any, str], str]:
    """What is expected of a process that is written as a table; `over` is short for its most frequent refusal."""
    head, *lines = text.replace(" over ", " no:not_after_completion ").replace(" over\n", " no:not_after_completion\n").strip().splitlines()
    rows = {status: dict(zip(head.split(), cells, strict=True)) for status, *cells in (line.split() for line in lines)}
    return lambda status, step: rows[status][step]


def once_after(*any_time: str, **before: str) -> Callable[[Any, str], str]:
    """What is expected of a process in which each step is taken once, those named here after another one, but for some at `any_time`."""

    def expected(done: Sequence[str], step: str) -> str:
        if step in any_time:
            return "+".join(sorted(done))
        if step in done:
            return f"no:{step}_once"
        return f"waits:{before[step]}" if before.get(step, "") not in ("", *done) else "+".join(sorted([*done, step]))

    return expected


@dataclass(frozen=True, slots=True)
class Grid:
    """A process: a case at its start, its methods by the step that they take, and what is expected of each step in each status."""

    start: Case[Any, Any]
    doings: Mapping[str, Callable[[Any, datetime], Decision]]
    expected: Callable[[Any, str], str]


GRIDS: dict[type[Case[Any, Any]], Grid] = {
    WorkOrder: Grid(
        WorkOrder(id="R1-w1", request_id="R1", priority="normal", region="north", product="boiler", opened_at=MONDAY_0900),
        {
            "assigned": lambda order, at: order.assign(at, "D1", "E1", "T1"),
            "accepted": lambda order, at: order.accept(at, "E1"),
            "held_up": lambda order, at: order.hold_up(at, "E1", "parts", "no spare part"),
            "taken_up": lambda order, at: order.take_up(at, "E1"),
            "completed": lambda order, at: order.complete(at, "E1"),
            "reopened": lambda order, at: order.reopen(at, "D1"),
            "judged": lambda order, at: order.judge(at, "E1", "urgent", "water leaks"),
            "arrived": lambda order, at: order.arrive(at, "E1"),
        },
        in_table(WORK_ORDER),
    ),
    Complaint: Grid(
        Complaint(
            id="C1", customer_id="K1", request_id=None, category="noise", region="north", handled_by="E1", opened_at=MONDAY_0900
        ),
        {
            "acknowledged": lambda complaint, at: complaint.acknowledge(at, "E1"),
            "verification_started": lambda complaint, at: complaint.start_verification(at, "E2"),
            "verified": lambda complaint, at: complaint.verify(at, "E2", justified=True),
            "solution_proposed": lambda complaint, at: complaint.propose_solution(at, "E2", "replacement"),
            "solution_communicated": lambda complaint, at: complaint.communicate_solution(at, "E1"),
            "assigned": lambda complaint, at: complaint.assign(at, "M1", "E3", "T3"),
            "remedy_done": lambda complaint, at: complaint.remedied(at, "E5", "R1-w2"),
            "remedy_failed": lambda complaint, at: complaint.remedy_failed(at, "E5", "R1-w2"),
        },
        once_after(
            "assigned", "remedy_done", "remedy_failed",
            verified="verification_started", solution_proposed="verified", solution_communicated="solution_proposed",
        ),
    ),
    ServiceRequest: Grid(
        ServiceRequest(
            id="R1", customer_id="K1", channel="hotline", nature="repair", severity="high", priority="high", region="north",
            product="boiler", handled_by="E1", asset_id=None, remarks="", opened_at=MONDAY_0900,
        ),
        {
            "answered": lambda request, at: request.answer(at, "E1"),
            "closed": lambda request, at: request.close(at, "E2"),
            "surveyed": lambda request, at: request.survey(at, 4),
            "reopened": lambda request, at: request.reopen(at, WorkStep("R1-w1", at, 1)),
        },
        in_table(SERVICE_REQUEST),
    ),
}  # fmt: skip


def written(status: Any) -> str:
    """A status as it is written here: a set of steps by their names."""
    return str(status) if isinstance(status, str) else "+".join(sorted(status))


def told(decision: Decision) -> str:
    match decision:
        case Case():
            return written(decision.standing().status)
        case TooEarly(missing):
            return f"waits:{missing}"
        case Refused(rule):
            return f"no:{rule}"


def walk(grid: Grid) -> Iterator[tuple[Any, str, Case[Any, Any], Decision]]:
    """Each step in each status that can be reached: (status, step, the case before, the decision)."""
    reached = {grid.start.standing().status: grid.start}
    for status in (ahead := [*reached]):
        case = reached[status]
        at = MONDAY_0900 + (len(case.steps) + 1) * HOUR
        for step, doing in grid.doings.items():
            decision = doing(case, at)
            yield status, step, case, decision
            if isinstance(decision, Case) and (following := decision.standing().status) not in reached:
                reached[following] = decision
                ahead.append(following)


@pytest.mark.parametrize("kind", GRIDS, ids=lambda kind: kind.__name__)
def test_each_step_in_each_status_leads_where_it_should_or_is_refused_by_its_rule(kind: type[Case[Any, Any]]) -> None:
    grid, cells = GRIDS[kind], []
    for status, step, case, decision in walk(grid):
        assert told(decision) == grid.expected(status, step), (status, step)
        if isinstance(decision, Refused):
            assert decision.was == case.status
        if isinstance(decision, Case):
            assert decision.steps[:-1] == case.steps
            assert decision.steps[-1].step == step
        cells.append((status, step))
    table = kind.PROCESS.table
    assert sorted(cells, key=str) == sorted(((status, step) for status, row in table.items() for step in row), key=str)


@pytest.mark.parametrize("kind", GRIDS, ids=lambda kind: kind.__name__)
def test_before_its_beginning_nothing_happens_to_a_case_whatever_else_it_would_have_to_wait_for(kind: type[Case[Any, Any]]) -> None:
    grid = GRIDS[kind]
    for doing in grid.doings.values():
        refused = Refused(kind.PROCESS.not_before, was=grid.start.status, field="ce_time")
        assert doing(grid.start, MONDAY_0900 - timedelta(microseconds=1)) == refused
        assert not isinstance(doing(grid.start, MONDAY_0900), Refused)  # at the very instant it may


def test_every_case_of_every_service_stands_here() -> None:
    units = [importlib.import_module(f"{service}.repository").UnitOfWork for service in SERVICES]
    kinds = [aggregates.kind for unit in units for aggregates in unit.tables().values()]
    assert {kind for kind in kinds if issubclass(kind, Case)} == set(GRIDS)


def arrive(grid: Grid, claims: Sequence[tuple[str, int]]) -> Case[Any, Any]:
    """The case after claims in this order of arrival; one that is too early is tried again after each that was applied."""
    case, waiting = grid.start, list[tuple[str, int]]()
    for claim in claims:
        waiting.append(claim)
        going = True
        while going:
            going = False
            for step, hour in sorted(waiting, key=lambda late: late[1]):
                decision = grid.doings[step](case, MONDAY_0900 + hour * HOUR)
                if isinstance(decision, TooEarly):
                    continue
                waiting.remove((step, hour))
                if isinstance(decision, Case):
                    case, going = replace(decision, clocks=Clocks()), True
                    break
    return case


@pytest.mark.parametrize("kind", [Complaint, ServiceRequest], ids=lambda kind: kind.__name__)
@counted(100, proof=5_000)
@given(st.data())
def test_where_each_step_is_taken_once_the_order_of_arrival_changes_nothing_whatever_is_claimed_twice(
    kind: type[Case[Any, Any]], data: st.DataObject
) -> None:
    grid = GRIDS[kind]
    hours = st.lists(st.integers(0, 50), min_size=1, max_size=9, unique=True)
    claims = [(data.draw(st.sampled_from(sorted(grid.doings))), hour) for hour in data.draw(hours)]
    in_order, other = arrive(grid, sorted(claims, key=lambda claim: claim[1])), arrive(grid, data.draw(st.permutations(claims)))
    assert other.standing() == in_order.standing()


def test_a_step_that_becomes_known_late_takes_the_place_of_the_same_step_at_a_later_time() -> None:
    grid = GRIDS[Complaint]
    late = arrive(grid, [("acknowledged", 5), ("acknowledged", 2)])
    assert [taken.at for taken in late.standing().steps] == [MONDAY_0900 + 2 * HOUR]
    assert late.last("acknowledged", MONDAY_0900 + HOUR) is None
    assert len(late.steps) == 2  # nothing that was said is lost


@pytest.mark.parametrize("kind", GRIDS, ids=lambda kind: kind.__name__)
def test_steps_of_one_instant_count_in_the_order_in_which_they_come(kind: type[Case[Any, Any]]) -> None:
    grid = GRIDS[kind]
    first, second = {WorkOrder: ("assigned", "held_up"), Complaint: ("verification_started", "verified")}.get(kind, ("answered", "closed"))
    case = arrive(grid, [(first, 1), (second, 1)])
    assert [taken.step for taken in case.standing(MONDAY_0900 + HOUR).steps] == [first, second]
    assert case.standing(MONDAY_0900 + HOUR - timedelta(microseconds=1)) == grid.start.standing()


def test_a_refusal_tells_the_status_at_its_own_time_but_how_far_the_case_has_come_where_a_step_is_taken_once() -> None:
    order = arrive(GRIDS[WorkOrder], [("assigned", 1), ("accepted", 2), ("held_up", 5)])
    assert GRIDS[WorkOrder].doings["accepted"](order, MONDAY_0900 + 3 * HOUR) == Refused("accepted_once", was="accepted")
    complaint = arrive(GRIDS[Complaint], [("acknowledged", 1), ("verification_started", 5)])
    assert GRIDS[Complaint].doings["acknowledged"](complaint, MONDAY_0900 + 3 * HOUR) == Refused(
        "acknowledged_once", was="verification_started"
    )
