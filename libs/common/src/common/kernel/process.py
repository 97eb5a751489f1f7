"""What can happen to a case and what has happened to it: a table of steps, and a journal in the order of event time.

A case is what its steps add up to. A step is judged by how things stood at its own time, so one that becomes known late finds its place,
and the order of arrival does not change the end.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from common.kernel.clocks import Clocks
from common.kernel.errors import Refused, TooEarly

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Taken:
    """One step that was taken: which, when, and by whom. What a process keeps of a step besides are fields of a subclass."""

    step: str
    at: datetime
    by: str = ""


T = TypeVar("T", bound=Taken)
_NOT_TAKEN = Refused | TooEarly  # made once: the union of classes costs more than what is asked of it


@dataclass(frozen=True, slots=True)
class Process(Generic[S]):
    """Where a case starts, and what each step leads to in each status: the next one, a refusal, or the step that must be known before."""

    start: S
    table: Mapping[S, Mapping[str, S | Refused | TooEarly]]
    not_before: str
    """The rule that refuses what is said to have happened before the case began."""
    name_of: Callable[[S], str] = str
    """What a status is called in an answer."""
    was_by_now: bool = False
    """Whether a refusal tells how the case stands by now, and not at the claim's own time."""
    leads: Mapping[S, Mapping[str, S]] = field(init=False, repr=False, compare=False)
    """The table without what it refuses: a case is followed through its steps far oftener than it takes one."""

    def __post_init__(self) -> None:
        leads = {status: {step: to for step, to in row.items() if not isinstance(to, _NOT_TAKEN)} for status, row in self.table.items()}
        object.__setattr__(self, "leads", leads)


def each_once(opened: str, steps: Mapping[str, str | None], *, not_before: str, any_time: Collection[str] = ()) -> Process[tuple[str, ...]]:
    """The process in which each step is taken once, and after the one that `steps` names for it; those of `any_time` change no status.

    A status is the steps that were taken, in the order of `steps`; it is called after the last of them, and `opened` before the first.
    Who takes a step a second time is told how far the case has come.
    """
    table: dict[tuple[str, ...], dict[str, tuple[str, ...] | Refused | TooEarly]] = {}
    ahead: list[tuple[str, ...]] = [()]
    while ahead:
        done = ahead.pop()
        table[done] = dict.fromkeys(any_time, done)
        for step, before in steps.items():
            if step in done:
                table[done][step] = Refused(f"{step}_once")
            elif before is not None and before not in done:
                table[done][step] = TooEarly(before)
            else:
                table[done][step] = following = tuple(one for one in steps if one in done or one == step)
                if following not in table:
                    ahead.append(following)
    return Process((), table, not_before, lambda done: done[-1] if done else opened, was_by_now=True)


@dataclass(frozen=True, slots=True)
class Standing(Generic[S, T]):
    """How a case stands at an instant: its status, and the steps that led to it, but for those that a step known later has overtaken."""

    status: S
    steps: tuple[T, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Generic[S, T]):
    """An aggregate with a process, whose journal is `steps`. A subclass names its `PROCESS` and kind of step, and has a method a step."""

    PROCESS: ClassVar[Process[Any]]

    id: str
    opened_at: datetime
    steps: tuple[T, ...] = ()
    clocks: Clocks = field(default_factory=Clocks)

    def standing(self, at: datetime | None = None) -> Standing[S, T]:
        """How the case stood at an instant, by default at last."""
        leads, status, found = self.PROCESS.leads, self.PROCESS.start, []
        for taken in self.steps:
            if at is not None and taken.at > at:
                break
            following = leads[status].get(taken.step)
            if following is None:
                continue  # something that became known later has overtaken this step
            status = following
            found.append(taken)
        return Standing(status, tuple(found))

    @property
    def status(self) -> str:
        """What the case's last status is called."""
        return self.PROCESS.name_of(self.standing().status)

    def last(self, step: str, at: datetime | None = None) -> T | None:
        """The last time that a step was taken up to an instant; None where it was not."""
        return next((taken for taken in reversed(self.standing(at).steps) if taken.step == step), None)

    def take(self, taken: T, clocks: Clocks) -> Self | Refused | TooEarly:
        """The case with one more step, and with what it says about the clocks.

        Nothing happens to a case before it began: that is looked at first, since no event that is still to come could make it right.
        """
        process = self.PROCESS
        if taken.at < self.opened_at:
            return Refused(process.not_before, was=self._was(process.start), field="ce_time")
        status = self.standing(taken.at).status
        match process.table[status][taken.step]:
            case Refused() as refused:
                return replace(refused, was=self._was(status))
            case TooEarly() as early:
                return early
            case _:
                before = tuple(step for step in self.steps if step.at <= taken.at)
                return replace(self, steps=(*before, taken, *self.steps[len(before) :]), clocks=clocks)

    def _was(self, then: S) -> str:
        return self.status if self.PROCESS.was_by_now else self.PROCESS.name_of(then)
