"""`aftersales kpi report`: facts of a period, added up by what they can be asked by."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from tests.faults.kit import fact
from tests.harness import ServiceOnDatabase, service_at
from typer.testing import CliRunner, Result

from common.contracts.envelope import Record
from common.contracts.kpi_facts import DIMENSIONS
from common.kernel.wall_clock import now
from devstack import Stack
from ops.kpi import By, app

pytestmark = pytest.mark.real

START, END = (datetime.fromisoformat(f"2025-{month}-01T00:00:00+08:00") for month in ("07", "10"))
IN_JULY = datetime.fromisoformat("2025-07-15T10:00:00+08:00")


def measured(case: str, numerator: str, denominator: str = "1", *, at: datetime = IN_JULY, **data: Any) -> Record:
    wire = fact(case, id=f"{case}-{data.get('revision', 1)}", at=at, numerator=numerator, denominator=denominator, **data)
    return Record(wire.topic, 0, 0, wire.key, wire.value, wire.headers, now())


@pytest.fixture
async def appraisal(clean_stack: Stack) -> AsyncIterator[ServiceOnDatabase]:
    async with service_at("appraisal", clean_stack) as service:
        await service.take_facts(
            [
                measured("c1", "1", dimensions={"region": "north", "team": "t1"}),
                measured("c2", "0", dimensions={"region": "north", "team": "t2"}),
                measured("c3", "1", dimensions={"region": "south"}, at=START),
                measured("c4", "1", dimensions={"region": "south"}, at=END),  # the next quarter's
                measured("c5", "0.5", "4.5", dimensions={}, subject="team:t1"),
                measured("c6", "0", dimensions={"region": "north"}),
                measured("c6", "1", dimensions={"region": "south"}, revision=2),
                measured("c7", "1", dimensions={"region": "north"}),
                measured("c7", "0", "0", dimensions={}, revision=2),  # taken back
                measured("c9", "2", "2", dimensions={"region": "north"}, indicator="safety_incidents"),
                measured("c8", "-1", "0", dimensions={"region": "south"}, indicator="safety_incidents"),
            ]
        )
        yield service


def call(stack: Stack, *words: str) -> Result:
    return CliRunner().invoke(app, ["report", "--cycle", "2025Q3", *words], env={"DATABASE_URL": stack.database_url})


def rows(stack: Stack, by: str, *words: str) -> list[tuple[Any, ...]]:
    result = call(stack, "--by", by, *words, "--json")
    assert result.exit_code == 0, result.output
    columns = ("indicator", "about", by, "numerator", "denominator", "rate", "percent", "cases")
    return [tuple(row[name] for name in columns) for row in json.loads(result.stdout)]


def test_facts_of_the_period_are_added_up_exactly_by_region(appraisal: ServiceOnDatabase, clean_stack: Stack) -> None:
    assert rows(clean_stack, "region") == [
        ("in_time_solution", "employee", "north", "1", "2", "1/2", "50.0", 2),
        ("in_time_solution", "employee", "south", "2", "2", "1", "100.0", 2),
        ("in_time_solution", "team", None, "1/2", "9/2", "1/9", "11.1", 1),
        ("safety_incidents", "employee", "north", "2", "2", None, None, 1),
        ("safety_incidents", "employee", "south", "-1", "0", None, None, 1),
    ]


def test_what_is_counted_is_told_as_a_count_and_each_figure_with_the_way_that_is_better(
    appraisal: ServiceOnDatabase, clean_stack: Stack
) -> None:
    told = {(row["indicator"], row["unit"], row["direction"]) for row in json.loads(call(clean_stack, "--json").stdout)}
    assert told == {("in_time_solution", "percent", "higher"), ("safety_incidents", "count", "lower")}


def test_the_same_facts_by_team_and_of_one_indicator(appraisal: ServiceOnDatabase, clean_stack: Stack) -> None:
    assert rows(clean_stack, "team", "--indicator", "in_time_solution") == [
        ("in_time_solution", "employee", "t1", "1", "1", "1", "100.0", 1),
        ("in_time_solution", "employee", "t2", "0", "1", "0", "0.0", 1),
        ("in_time_solution", "employee", None, "2", "2", "1", "100.0", 2),
        ("in_time_solution", "team", None, "1/2", "9/2", "1/9", "11.1", 1),
    ]


def test_a_table_is_shown_to_people(appraisal: ServiceOnDatabase, clean_stack: Stack) -> None:
    shown = call(clean_stack).stdout
    assert "2025Q3 by region" in shown
    assert "in_time_solution" in shown


WRONG = [(("--cycle", "Q3"), "--cycle Q3"), (("--time-zone", "Mars"), "--time-zone Mars"), (("--by", "colour"), "colour")]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_what_names_no_period_zone_or_dimension_ends_with_2(
    words: tuple[str, ...], said: str, clean_stack: Stack, appraisal: ServiceOnDatabase
) -> None:
    result = call(clean_stack, *words)
    assert result.exit_code == 2
    assert said in result.output


def test_facts_are_told_apart_by_every_dimension_that_they_have() -> None:
    assert [by.value for by in By] == list(DIMENSIONS)
