"""What can be wrong with a question about working time: one type, with a code that machines may rely on."""


class ClockError(ValueError):
    """The question cannot be answered.

    `code` is one of `end_before_start`, `unknown_calendar`, `bad_calendar`, `bad_instant`, `bad_date`, `bad_target`,
    `bad_event`, `bad_question`, `bad_json`, `never_open`, `conflicting_duplicate`, `not_started` (interfaces 3, 3b);
    `field` is the path of the value that is to blame ("target.working_seconds"), empty when it is the whole.
    """

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.code = code
        self.field = field
        self.message = message
