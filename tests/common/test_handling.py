"""A use case that does not fit what its line of the table loads is found when the table is made, and by mypy where it can see it.

The lines that mypy refuses carry the ignore that it would call unused if it did not.
"""

import pytest

from common.contracts.claims.complaints import ComplainantTold, SolutionFound, SolutionTold
from common.kernel.wake_ups import Woken
from common.runtime.handling import handler_table, on, on_wake
from complaints.domain.complaint import Complaint
from complaints.repository import UnitOfWork

BY_ID = UnitOfWork.complaints.by("complaint_id")
MAYBE = UnitOfWork.complaints.maybe("complaint_id")


def acknowledge(told: ComplainantTold, complaint: Complaint, uow: UnitOfWork) -> None: ...
def look_at_two(told: ComplainantTold, complaint: Complaint, other: Complaint | None, uow: UnitOfWork) -> None: ...
def note(told: ComplainantTold, uow: UnitOfWork) -> None: ...
def turned_round(complaint: Complaint, told: ComplainantTold, uow: UnitOfWork) -> None: ...
def without_unit_of_work(told: ComplainantTold, complaint: Complaint) -> None: ...
def remind(woken: Woken, complaint: Complaint, uow: UnitOfWork) -> None: ...
def remind_of(woken: Woken, told: ComplainantTold, uow: UnitOfWork) -> None: ...
def about_another(told: ComplainantTold, complaint: SolutionTold, uow: UnitOfWork) -> None: ...


def test_a_line_says_the_event_the_use_case_and_what_is_loaded_for_it() -> None:
    table = handler_table(on(ComplainantTold, acknowledge, loads=BY_ID))
    event = ComplainantTold(complaint_id="C1", by="E1")
    assert table[ComplainantTold].use_case is acknowledge
    assert table[ComplainantTold].names(event) == [(UnitOfWork.complaints, "C1")]
    assert on(ComplainantTold, note).names(event) == []
    both = on(ComplainantTold, look_at_two, loads=(BY_ID, MAYBE))
    assert [id for _, id in both.names(event)] == ["C1", "C1"]


def test_two_lines_for_one_event_are_an_error() -> None:
    with pytest.raises(TypeError, match=r"two handlers for complaint.complainant_told: acknowledge and note"):
        handler_table(on(ComplainantTold, acknowledge, loads=BY_ID), on(ComplainantTold, note))


def test_a_use_case_that_lacks_an_argument_or_has_one_too_many_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"acknowledge cannot take ComplainantTold: it has 3 parameters; expected 2: the event, "):
        on(ComplainantTold, acknowledge)  # type: ignore[arg-type]  # nothing is loaded for its complaint
    with pytest.raises(TypeError, match=r"note cannot take ComplainantTold: it has 2 parameters; expected 3: "):
        on(ComplainantTold, note, loads=BY_ID)  # type: ignore[arg-type]  # it takes no complaint
    with pytest.raises(TypeError, match=r"without_unit_of_work .* its last parameter is Complaint, not the unit of work"):
        on(ComplainantTold, without_unit_of_work)


def test_a_use_case_of_another_event_or_in_another_order_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"acknowledge cannot take SolutionFound: its first parameter is ComplainantTold, not the event"):
        on(SolutionFound, acknowledge, loads=BY_ID)  # type: ignore[arg-type]  # it is the use case of another claim
    with pytest.raises(TypeError, match=r"turned_round .* its first parameter is Complaint, not the event"):
        on(ComplainantTold, turned_round, loads=BY_ID)  # type: ignore[arg-type]  # the event comes first


def test_an_aggregate_that_may_be_missing_or_is_of_another_kind_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"acknowledge .* its parameter 2 is Complaint, and None comes where there is no such aggregate"):
        on(ComplainantTold, acknowledge, loads=MAYBE)  # type: ignore[arg-type]  # the complaint may not exist
    with pytest.raises(TypeError, match=r"about_another .* its parameter 2 is SolutionTold, and a Complaint is loaded for it"):
        on(ComplainantTold, about_another, loads=BY_ID)  # type: ignore[arg-type]  # a claim is no complaint


def test_a_line_says_for_which_reason_an_aggregate_is_woken() -> None:
    table = handler_table(on(ComplainantTold, acknowledge, loads=BY_ID), on_wake(UnitOfWork.complaints, "remind", remind))
    assert list(table) == [ComplainantTold]
    assert table.wakes["complaints", "remind"].use_case is remind
    with pytest.raises(TypeError, match=r"two handlers for complaints woken for remind: remind and remind"):
        handler_table(on_wake(UnitOfWork.complaints, "remind", remind), on_wake(UnitOfWork.complaints, "remind", remind))


def test_a_use_case_that_cannot_be_woken_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"note cannot be woken for remind: it has 2 parameters; expected 3: "):
        on_wake(UnitOfWork.complaints, "remind", note)  # type: ignore[arg-type]  # it takes no complaint
    with pytest.raises(TypeError, match=r"acknowledge cannot be woken for remind: its first parameter is ComplainantTold, not Woken"):
        on_wake(UnitOfWork.complaints, "remind", acknowledge)  # type: ignore[arg-type]  # an event does not come from time
    with pytest.raises(TypeError, match=r"remind_of .* its parameter 2 is ComplainantTold, and a Complaint is loaded for it"):
        on_wake(UnitOfWork.complaints, "remind", remind_of)  # type: ignore[arg-type]  # an event is no complaint
    with pytest.raises(TypeError, match=r"'the day after' is no reason to be woken for: expected a word"):
        on_wake(UnitOfWork.complaints, "the day after", remind)
