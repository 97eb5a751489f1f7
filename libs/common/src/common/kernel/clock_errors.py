"""What can be wrong with a question about working time: one type, with a code that machines may rely on."""

from collections.abc import Collection, Iterable

from common.kernel.known_fields import unknown_field


class ClockError(ValueError):
    """The question cannot be answered.

    `code` is one of `end_before_start`, `unknown_calendar`, `bad_calendar`, `bad_instant`, `bad_date`, `bad_target`,
    `bad_event`, `bad_question`, `unknown_field`, `bad_json`, `never_open`, `conflicting_duplicate`, `not_started` (interfaces 3, 3b);
    `field` is the path of the value that is to blame ("target.working_seconds"), empty when it is the whole. `event_id` names
    the event of a clock's history that stated it, where it was one.
    """

    event_id = ""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.code = code
        self.field = field
        self.message = message


def refuse_unknown(given: Iterable[object], known: Collection[str], field: str) -> None:
    """Raises `unknown_field` for the first field that is not known, with the path of its object (empty for the question)."""
    if found := unknown_field(given, known):
        name, said = found
        raise ClockError("unknown_field", f"{field}.{name}" if field else name, said)
