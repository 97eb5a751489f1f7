"""Complaints whose handler is reminded: the handlers of the service, some of which set, move and take back wake-ups, for the tests."""

from datetime import timedelta
from functools import partial
from typing import Any

from common.contracts.claims.complaints import ComplainantTold, ComplaintLodged, VerificationBegun
from common.contracts.complaints import ComplaintEscalated
from common.kernel.wake_ups import Woken
from common.runtime.handling import HandlerTable, on, on_wake
from complaints import use_cases
from complaints.domain.complaint import Complaint
from complaints.handlers import HANDLERS
from complaints.repository import UnitOfWork

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FOUR = ("remind", "remind_2", "remind_3", "remind_4")
BY_ID = UnitOfWork.complaints.by("complaint_id")


def receive_and_remind(lodged: ComplaintLodged, existing: Complaint | None, uow: UnitOfWork, *, reasons: tuple[str, ...]) -> None:
    """A complaint is on record; an hour later somebody is reminded of it."""
    use_cases.receive_complaint(lodged, existing, uow)
    assert existing is None
    for reason in reasons:
        uow.wake(UnitOfWork.complaints, lodged.complaint_id, reason, lodged.time + HOUR)


def acknowledge_in_time(told: ComplainantTold, complaint: Complaint, uow: UnitOfWork) -> None:
    """Who has told the complainant need not be reminded."""
    use_cases.acknowledge_complaint(told, complaint, uow)
    uow.cancel_wake(UnitOfWork.complaints, complaint.id, "remind")


def begin_verification(begun: VerificationBegun, complaint: Complaint, uow: UnitOfWork) -> None:
    """Who verifies is reminded a day later."""
    use_cases.start_verification(begun, complaint, uow)
    uow.wake(UnitOfWork.complaints, complaint.id, "remind", begun.time + DAY)


def remind(woken: Woken, complaint: Complaint, uow: UnitOfWork) -> None:
    """Somebody is reminded, in the words that the contracts have."""
    uow.complaints.save(complaint)
    uow.publish(ComplaintEscalated(complaint_id=complaint.id, request_id=None, triggers=(), escalated_at=woken.at))


def reminding(*reasons: str, remind: Any = remind) -> HandlerTable:
    """The handlers, when each complaint has a wake-up for each of the reasons."""
    lodged = on(ComplaintLodged, use_cases.receive_complaint, loads=UnitOfWork.complaints.maybe("complaint_id"))
    own = (
        type(lodged)(lodged.event, lodged.loads, partial(receive_and_remind, reasons=reasons)),
        on(ComplainantTold, acknowledge_in_time, loads=BY_ID),
        on(VerificationBegun, begin_verification, loads=BY_ID),
    )
    wakes = {("complaints", reason): on_wake(UnitOfWork.complaints, reason, remind) for reason in reasons}
    return HandlerTable({**HANDLERS, **{handler.event: handler for handler in own}}, wakes)
