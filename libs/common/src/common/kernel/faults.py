"""What can be wrong with a document, a question or a value: one type, with a rule that machines may rely on."""

Where = tuple[str | int, ...]
"""The way to a value from the whole document: names of fields and indexes of lists; empty for the whole."""


class Fault(ValueError):
    """A document, question or value that is not taken: `where` it is wrong, which `rule` it breaks, `what` was expected.

    `rule` is a fixed word (`bad_calendar`, `bad_instant`, `unknown_field`, `superior_missing` …; the codes of interfaces 3
    and 4 are such words). `line` is the line of the file, 0 where no file was read. `event_id` names the event of a clock's
    history that stated the value, where it was one.
    """

    event_id = ""

    def __init__(self, where: Where, rule: str, what: str, *, line: int = 0) -> None:
        super().__init__(where, rule, what)
        self.where = where
        self.rule = rule
        self.what = what
        self.line = line

    @property
    def field(self) -> str:
        """Where, as answers write it: `weekly_hours.mon[0]`, empty for the whole."""
        return place(self.where)

    def __str__(self) -> str:
        return ": ".join(part for part in (f"line {self.line}" if self.line else "", self.field, self.what) if part)


def place(where: Where) -> str:
    """The way to a value as answers write it: `events[2].target.working_days`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where).removeprefix(".")
