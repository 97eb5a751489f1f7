"""What an error of the database means for a batch."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from common.kernel.errors import Transient
from common.store.database import kind_of


def caused_by(cause: BaseException) -> Exception:
    error = RuntimeError("the batch failed")
    error.__cause__ = cause
    return error


def wrapped(original: BaseException | None, *, invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT 1", {}, original, connection_invalidated=invalidated)  # type: ignore[arg-type]  # an error of the driver may be missing


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Transient("a partition is halted"), "transient"),
        (asyncpg.UniqueViolationError(), "unique"),
        (asyncpg.NotNullViolationError(), "data"),
        (asyncpg.NumericValueOutOfRangeError(), "data"),
        (asyncpg.DeadlockDetectedError(), "transient"),
        (asyncpg.InvalidTransactionStateError(), "transient"),
        (asyncpg.TooManyConnectionsError(), "transient"),
        (asyncpg.CannotConnectNowError(), "transient"),
        (asyncpg.InterfaceError("closed"), "transient"),
        (OSError(), "transient"),
        (TimeoutError(), "transient"),
        (asyncpg.UndefinedTableError(), "defect"),
        (KeyError(), "defect"),
        (caused_by(asyncpg.UniqueViolationError()), "unique"),
        (caused_by(caused_by(asyncpg.NotNullViolationError())), "data"),
        (wrapped(asyncpg.UniqueViolationError()), "unique"),
        (wrapped(asyncpg.UndefinedTableError()), "defect"),
        (wrapped(asyncpg.UndefinedTableError(), invalidated=True), "transient"),
        (wrapped(ValueError()), "transient"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_error_is_tried_again_or_one_records_or_a_defect_of_ours(error: BaseException, kind: str) -> None:
    assert kind_of(error) == kind
