"""Answers to single questions about working time and clocks, with the code that the services run (interfaces 3, 3b)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from common.kernel.calendar_json import month_day_text, ranges_text
from common.kernel.calendars import BUILT_IN, built_in, named
from common.kernel.clock_json import inline_key, read_event, seconds, write_doubt, write_state
from common.kernel.documents import Node, by_rule
from common.kernel.faults import Fault, Where
from common.kernel.instants import ordinal_on, to_micros
from common.kernel.json_lines import error
from common.kernel.patterns import Season
from common.kernel.sla_clock import fold
from common.kernel.targets import Pause, Target, WorkingDays, aim_of, days_to, due_at, read_pauses, read_target, running_spans, worked
from common.kernel.timeline import Stretch
from common.kernel.working_time import Calendar

_REMEMBERED = 512
_MOST_REMEMBERED = 2_000_000  # characters of calendars, which take some 50 MB once they are read
_MOST_EVENTS = 1_000
_MOST_CALENDARS = 4
_MOST_STEPS = 10_000
_FORMS = {
    "events": ("id", "events", "as_of", "explain"),
    "target": ("id", "calendar", "start", "pauses", "target", "explain"),
    "end": ("id", "calendar", "start", "end", "pauses", "explain"),
    "at": ("id", "calendar", "at", "explain"),
    "date": ("id", "calendar", "date", "explain"),
}
"""What a question asks, by the field that tells, and the fields that go with it."""
_COUNT = ("id", "calendar", "start", "end", "count", "explain")
"""The fields of a question with an end that asks for something else than working time."""
_QUESTION = by_rule("bad_question")
_KNOWN = tuple(dict.fromkeys(name for fields in (*_FORMS.values(), _COUNT) for name in fields))


class Questions:
    """Answers questions, remembering the inline calendars it has seen, since the next line mostly names the same one."""

    def __init__(self, others: Mapping[str, Calendar] | None = None) -> None:
        self._named: dict[str, Calendar] = dict(others or {})
        self._inline: dict[str, Calendar] = {}
        self._size = 0

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer without the `id`, or an `error` with code, field and message."""
        asked = Node(question, (), _QUESTION)
        try:
            match _form(asked):
                case "target":
                    return self._deadline(asked)
                case "end":
                    return self._count(asked) if "count" in asked else self._between(asked)
                case "at":
                    return self._at(asked)
                case "date":
                    return self._date(asked)
                case _:
                    return self._clock(asked)
        except Fault as fault:
            return error(fault)

    def _deadline(self, asked: Node) -> dict[str, Any]:
        calendar, start, pauses = self._calendar(asked), _micros(asked.field("start")), _pauses(asked)
        target = read_target(asked.value["target"], ("target",))
        due = due_at(calendar, start, target, pauses)
        if due is None:
            return {"deadline": None, "provisional": False} | ({"steps": []} if _explained(asked) else {})
        deadline = calendar.instant(due)
        answer: dict[str, Any] = {"deadline": deadline.isoformat(), "provisional": False, **_doubt(calendar, start, due)}
        if _explained(asked):
            answer |= explained_days(calendar, start, target)
            if isinstance(target, WorkingDays) and aim_of(calendar, start, target).fixed is not None:
                answer["steps"] = _day_steps(calendar, start, target)
            else:
                answer["steps"] = _steps(calendar, running_spans(start, due, pauses))
        return answer

    def _count(self, asked: Node) -> dict[str, Any]:
        calendar, start, end = self._span(asked)
        if asked.field("count").value != "working_days":
            raise asked.field("count").fault("working_days is expected")
        first, last = calendar.date_of(start), calendar.date_of(end)
        number = calendar.timeline.number_of_working_days(first.toordinal(), last.toordinal())
        answer: dict[str, Any] = {"working_days": number, **write_doubt(calendar.doubt(first, last))}
        if _explained(asked):
            answer["steps"] = _steps_of_days(calendar, start, number)
        return answer

    def _between(self, asked: Node) -> dict[str, Any]:
        calendar, start, end = self._span(asked)
        pauses = _pauses(asked)
        answer = {"working_seconds": seconds(worked(calendar, start, end, pauses))}
        return self._finished(asked, calendar, (start, end), answer, running_spans(start, end, pauses))

    def _span(self, asked: Node) -> tuple[Calendar, int, int]:
        calendar, start, end = self._calendar(asked), _micros(asked.field("start")), _micros(asked.field("end"))
        if end < start:
            raise asked.field("end").fault("the end lies before the start", "end_before_start")
        return calendar, start, end

    def _at(self, asked: Node) -> dict[str, Any]:
        calendar, at = self._calendar(asked), _micros(asked.field("at"))
        working = calendar.timeline.is_working(at)
        open_now = [calendar.timeline.open_stretch(at)] if working else []
        return self._finished(asked, calendar, (at, at), {"working": working}, open_now)

    def _date(self, asked: Node) -> dict[str, Any]:
        calendar, day = self._calendar(asked), asked.field("date").date()
        hours = calendar.hours_of(day)
        answer: dict[str, Any] = {"working_day": bool(hours), "ranges": ranges_text(hours)}
        answer |= write_doubt(calendar.doubt(day, day))
        if _explained(asked):
            answer |= _pattern(calendar, day)
            answer["steps"] = [_step(calendar, stretch) for stretch in calendar.timeline.stretches_of(day.toordinal())]
        return answer

    def _clock(self, asked: Node) -> dict[str, Any]:
        listed = asked.field("events")
        if not isinstance(listed.value, list):
            raise listed.fault("a list of events is expected", "bad_event")
        if len(listed.value) > _MOST_EVENTS:
            raise listed.fault(f"a history has at most {_MOST_EVENTS} events, not {len(listed.value)}", "bad_event")
        inline: dict[str, Calendar] = {}

        def key(document: object, where: Where) -> str:
            if isinstance(document, str):
                named(document, self._named, where)
                return document
            name = inline_key(document)
            inline[name] = self._inline_calendar(document, where)
            if len(inline) > _MOST_CALENDARS:
                raise Fault(where, "bad_calendar", f"a history brings at most {_MOST_CALENDARS} calendars of its own")
            return name

        events = [read_event(event.value, event.where, key) for event in listed.items()]
        as_of = asked.field("as_of").instant()
        try:
            clock = fold(events, as_of, self._named | inline)
        except Fault as fault:
            event = next((("events", index) for index, event in enumerate(events) if fault.event_id == event.id), ())
            raise Fault((*event, *fault.where), fault.rule, fault.what) from None
        return write_state(clock, explain=_explained(asked))

    def _finished(
        self, asked: Node, calendar: Calendar, span: tuple[int, int], answer: dict[str, Any], counted: list[Stretch]
    ) -> dict[str, Any]:
        answer |= _doubt(calendar, *span)
        if _explained(asked):
            answer["steps"] = _steps(calendar, counted)
        return answer

    def _calendar(self, asked: Node) -> Calendar:
        document = asked.field("calendar").value
        if not isinstance(document, str):
            return self._inline_calendar(document, ("calendar",))
        if document in self._named or document not in BUILT_IN:
            return named(document, self._named)
        return built_in(document)

    def _inline_calendar(self, document: object, where: Where) -> Calendar:
        if not isinstance(document, dict):
            raise Fault(where, "bad_calendar", "the name of a calendar or a whole one is expected")
        key = repr(document)
        calendar = self._inline.get(key)
        if calendar is None:
            calendar = Calendar.from_json(document, where)
            self._size += len(key)
            while self._inline and (len(self._inline) >= _REMEMBERED or self._size > _MOST_REMEMBERED):
                oldest = next(iter(self._inline))
                self._size -= len(oldest)
                del self._inline[oldest]
            self._inline[key] = calendar
        return calendar


def _form(asked: Node) -> str:
    """Which of its fields tells what a question asks; no question has a field that its answer would not go by."""
    asked.fields(known=_KNOWN)
    forms = [form for form in _FORMS if form in asked]
    if len(forms) != 1:
        raise asked.fault(f"a question has exactly one of {', '.join(_FORMS)}")
    asked.fields(known=_COUNT if forms == ["end"] and "count" in asked else _FORMS[forms[0]])
    if not isinstance(asked.field("explain", False).value, bool | None):
        raise asked.field("explain").fault("true or false is expected")
    return forms[0]


def _doubt(calendar: Calendar, start: int, end: int) -> dict[str, Any]:
    """What is to be said of an answer that rests on the days from `start` to `end`; 24:00 belongs to the day that it ends."""
    if calendar.known_until is None and calendar.known_from is None:
        return {}
    return write_doubt(calendar.doubt(calendar.date_of(start), calendar.date_of(max(start, end - 1))))


def _micros(given: Node) -> int:
    return to_micros(given.instant())


def _pauses(asked: Node) -> list[Pause]:
    pauses = asked.field("pauses")
    return [] if pauses.value is None else read_pauses(pauses.value, pauses.where)


def _explained(asked: Node) -> bool:
    return asked.field("explain").value is True


def _steps(calendar: Calendar, spans: list[Stretch]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for span in spans:
        for stretch in calendar.timeline.stretches(span.start, span.end):
            if len(steps) == _MOST_STEPS:
                raise _too_much_to_show()
            steps.append(range_step(calendar, stretch))
    return steps


def range_step(calendar: Calendar, stretch: Stretch) -> dict[str, Any]:
    """An open stretch as it is shown: from when to when, how long, and by which pattern."""
    return {**_step(calendar, stretch), **_pattern(calendar, _day_of(calendar, stretch.start))}


def _step(calendar: Calendar, stretch: Stretch) -> dict[str, Any]:
    return {
        "from": calendar.instant(stretch.start).isoformat(),
        "to": calendar.instant(stretch.end).isoformat(),
        "working_seconds": seconds(stretch.end - stretch.start),
    }


def _day_of(calendar: Calendar, working: int) -> date:
    """The local date to which a working instant belongs: that of its range, which may have begun on the day before."""
    today = ordinal_on(working, calendar.zone)
    is_todays = any(start <= working < end for start, end in calendar.timeline.stretches_of(today))
    return date.fromordinal(today if is_todays else today - 1)


def _pattern(calendar: Calendar, day: date) -> dict[str, Any]:
    """By which season, or by which alternating weekday, the date has its hours; nothing where it goes by none."""
    match calendar.pattern_on(day):
        case None:
            return {}
        case Season(first, last):
            return {"season": {"from": month_day_text(first), "to": month_day_text(last)}}
        case alternating:
            return {"alternating": {"anchor": alternating.anchor.isoformat()}}


def explained_days(calendar: Calendar, start: int, target: Target) -> dict[str, Any]:
    """From which day on a target with a cut-off, or one for the same day, is counted, and why not from the day of the start."""
    if not isinstance(target, WorkingDays) or not target.from_day_0:
        return {}
    today, late = ordinal_on(start, calendar.zone), days_to(calendar, start, target).late
    day = calendar.timeline.working_day(start, today, 1)[0] if late else today
    return {"day_0": {"date": date.fromordinal(day).isoformat(), **({"reason": late} if late else {})}}


def _day_steps(calendar: Calendar, start: int, target: WorkingDays) -> list[dict[str, Any]]:
    """The working days that lead to the end of one, each with its first opening and its last closing; of 0 days that one alone."""
    days = days_to(calendar, start, target)
    if days.number == 0:
        return [_day_step(calendar, calendar.date_of(start))]
    return _steps_of_days(calendar, start, days.number)[-max(1, target.number) :]


def _steps_of_days(calendar: Calendar, start: int, number: int) -> list[dict[str, Any]]:
    if number > _MOST_STEPS:
        raise _too_much_to_show()
    return [_day_step(calendar, day) for day in calendar.timeline.working_days(start, ordinal_on(start, calendar.zone), number)]


def _day_step(calendar: Calendar, day: date) -> dict[str, Any]:
    stretches = calendar.timeline.stretches_of(day.toordinal())
    whole = Stretch(stretches[0].start, max(stretch.end for stretch in stretches))
    counted = sum(end - begin for begin, end in stretches)
    step = {"date": day.isoformat(), **_step(calendar, whole), "working_seconds": seconds(counted)}
    return step | _pattern(calendar, day)


def _too_much_to_show() -> Fault:
    return Fault(("explain",), "bad_question", f"at most {_MOST_STEPS} steps are shown; without explain the question is answered")
