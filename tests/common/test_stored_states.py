"""A state that was stored once is read for ever: examples of each shape are kept (CONTRIBUTING: how to change an aggregate)."""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text
from tests.contracts.test_golden_examples import changed_or_gone, last_release
from tests.harness import service_on

from common.kernel.process import Case
from common.store.aggregates import Aggregates, Row
from dispatch.domain.work_order import WorkOrder
from dispatch.repository import UnitOfWork
from dispatch.tables import WorkOrderRow

ROOT = Path(__file__).parents[2]
STATES = Path("tests/common/states")
SERVICES = ("intake", "dispatch", "complaints", "appraisal")
UNITS = [importlib.import_module(f"{service}.repository").UnitOfWork for service in SERVICES]
KINDS: dict[str, Aggregates[Any]] = {name: aggregates for unit in UNITS for name, aggregates in unit.tables().items()}


@dataclass(frozen=True, slots=True)
class Stored:
    """One kept example: `<table>.<number>.json`, with the version that wrote it."""

    table: str
    number: int
    version: int
    state: dict[str, Any]


def stored() -> Iterator[Stored]:
    for path in sorted((ROOT / STATES).iterdir()):
        table, number, _ = path.name.split(".")
        yield Stored(table, int(number), **json.loads(path.read_text("utf-8")))


ALL = sorted(stored(), key=lambda one: (one.table, one.number))
NEWEST = {one.table: one for one in ALL}


def names_in(value: Any) -> set[str]:
    """Every field that a document names, however deep."""
    if isinstance(value, Mapping):
        return {str(name) for name in value}.union(*map(names_in, value.values()))
    return set().union(*map(names_in, value)) if isinstance(value, list) else set()


def fields_of(kind: type[Any]) -> set[str]:
    """Every field that a state of this kind may name, however deep; its clocks are no part of it."""
    schema = TypeAdapter(kind).json_schema()

    def below(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(below, node))
        if not isinstance(node, Mapping):
            return set()
        own = {name: shape for name, shape in node.get("properties", {}).items() if name != "clocks"}
        inner = [schema["$defs"][node["$ref"].rpartition("/")[2]]] if "$ref" in node else []
        others = [shape for name, shape in node.items() if name not in ("properties", "$defs", "$ref")]
        return set(own).union(*map(below, [*own.values(), *inner, *others]))

    return below(schema)


def test_each_kind_of_aggregate_has_examples_numbered_without_a_gap_and_there_are_no_others() -> None:
    assert {one.table for one in ALL} == set(KINDS)
    for table in KINDS:
        numbers = [one.number for one in ALL if one.table == table]
        assert numbers == list(range(1, len(numbers) + 1)), table


@pytest.mark.parametrize("example", ALL, ids=lambda one: f"{one.table}.{one.number}")
def test_a_state_of_any_shape_is_read_and_written_again_without_loss(example: Stored) -> None:
    kind = KINDS[example.table]
    found = kind.read(json.dumps(example.state), example.version)
    assert kind.read(kind.state(found), kind.version) == found
    if example == NEWEST[example.table]:
        assert (kind.version, json.loads(kind.state(found))) == (example.version, example.state)


@pytest.mark.parametrize("table", KINDS)
def test_the_newest_example_has_every_field_and_every_step_so_that_a_new_one_needs_an_example(table: str) -> None:
    kind, example = KINDS[table].kind, NEWEST[table]
    assert names_in(example.state) >= fields_of(kind)
    if issubclass(kind, Case):
        taken = {step["step"] for step in example.state["steps"]}
        assert taken == {str(step) for row in kind.PROCESS.table.values() for step in row}


def test_no_state_of_the_last_release_was_changed_or_taken_away() -> None:
    release = last_release(ROOT)
    assert release is None or changed_or_gone(ROOT, release, STATES) == []


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """The first shape called a product a `model`."""
    return {**{name: value for name, value in document.items() if name != "model"}, "product": document["model"]}


def with_steps(document: dict[str, Any]) -> dict[str, Any]:
    """The second one had no steps."""
    return {**document, "steps": [{"step": "assigned", "at": document["opened_at"], "by": "E1", "technician": "E2"}]}


UPCASTS: Sequence[Any] = (renamed, with_steps)
OLDEST = {"id": "W1", "opened_at": "2026-07-06T01:00:00Z", "request_id": "R1", "priority": "low", "region": "north", "model": "boiler"}


@pytest.mark.parametrize(("version", "state"), [(1, OLDEST), (2, renamed(OLDEST)), (3, with_steps(renamed(OLDEST)))])
def test_where_defaults_are_not_enough_an_older_state_goes_through_each_upcaster_since(version: int, state: dict[str, Any]) -> None:
    orders = Aggregates(WorkOrderRow, WorkOrder, upcasts=UPCASTS)
    order = orders.read(json.dumps(state), version)
    assert (order.product, order.technician(), orders.version) == ("boiler", "E2", 3)


@pytest.mark.parametrize("version", [0, 4])
def test_a_state_of_a_later_release_is_not_guessed_at(version: int) -> None:
    orders = Aggregates(WorkOrderRow, WorkOrder, upcasts=UPCASTS)
    with pytest.raises(ValueError, match=f"written in shape {version}"):
        orders.read(json.dumps(with_steps(renamed(OLDEST))), version)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"polished": 1}, ("polished",)),
        ({"region": None}, ("region",)),
        ({"opened_at": 5}, ("opened_at",)),
        ({"steps": [{"step": "praised", "at": "2026-07-06T01:00:00Z"}]}, ("steps", 0, "step")),
        ({"steps": [{"step": "assigned"}]}, ("steps", 0, "at")),
    ],
)
def test_a_state_that_does_not_fit_is_not_read_and_its_place_is_known(change: dict[str, Any], place: tuple[str | int, ...]) -> None:
    state = json.dumps(with_steps(renamed(OLDEST)) | change)
    with pytest.raises(ValidationError) as problem:
        Aggregates(WorkOrderRow, WorkOrder).read(state, 1)
    assert [error["loc"] for error in problem.value.errors()] == [place]


@pytest.mark.real
async def test_a_row_of_an_older_shape_is_loaded_and_becomes_one_of_the_newest_when_it_is_written(database: str) -> None:
    orders = Aggregates(WorkOrderRow, WorkOrder, upcasts=UPCASTS)
    async with service_on("dispatch", database) as dispatch, dispatch.database.transaction() as connection:
        await connection.execute(text("INSERT INTO work_orders VALUES ('W1', 7, 1, CAST(:state AS jsonb))"), {"state": json.dumps(OLDEST)})
        loaded = await orders.lock(connection, ["W1"])
        order, sequence, _ = loaded["W1"]  # type: ignore[misc]  # it can be read
        assert (order.technician(), sequence) == ("E2", 7)
        await orders.write(connection, [], [Row(order, 8)])
        rows = await connection.execute(text("SELECT sequence, version, state ->> 'product' FROM work_orders"))
        assert [tuple(row) for row in rows] == [(8, 3, "boiler")]
        (again,) = await orders.find(connection, text("id = :id"), {"id": "W1"})
        assert again == order
        assert list((await UnitOfWork.work_orders.lock(connection, ["W1"])).values()) != [Row(order, 8)]  # the release before it cannot
