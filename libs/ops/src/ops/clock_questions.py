"""Answers to single questions about working time and clocks, with the code that the services run (interfaces 3, 3b)."""

from collections.abc import Mapping
from typing import Any

from common.kernel.calendar_json import ranges_text
from common.kernel.calendars import BUILT_IN, built_in, named
from common.kernel.clock_json import inline_key, read_event, seconds, write_doubt, write_state
from common.kernel.documents import Node, by_rule
from common.kernel.faults import Fault, Where
from common.kernel.instants import ordinal_on, to_micros
from common.kernel.json_lines import error
from common.kernel.sla_clock import fold
from common.kernel.targets import Pause, WorkingDays, due_at, fixed_instant, read_pauses, read_target, running_spans, worked
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
_QUESTION = by_rule("bad_question")
_KNOWN = tuple(dict.fromkeys(name for fields in _FORMS.values() for name in fields))


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
                    return self._between(asked)
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
            if isinstance(target, WorkingDays) and fixed_instant(calendar, start, target) is not None:
                answer["steps"] = _day_steps(calendar, start, target.number)
            else:
                answer["steps"] = _steps(calendar, running_spans(start, due, pauses))
        return answer

    def _between(self, asked: Node) -> dict[str, Any]:
        calendar, start, end = self._calendar(asked), _micros(asked.field("start")), _micros(asked.field("end"))
        if end < start:
            raise asked.field("end").fault("the end lies before the start", "end_before_start")
        pauses = _pauses(asked)
        answer = {"working_seconds": seconds(worked(calendar, start, end, pauses))}
        return self._finished(asked, calendar, (start, end), answer, running_spans(start, end, pauses))

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
    asked.fields(known=_FORMS[forms[0]])
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
            steps.append(_step(calendar, stretch))
    return steps


def _step(calendar: Calendar, stretch: Stretch) -> dict[str, Any]:
    return {
        "from": calendar.instant(stretch.start).isoformat(),
        "to": calendar.instant(stretch.end).isoformat(),
        "working_seconds": seconds(stretch.end - stretch.start),
    }


def _day_steps(calendar: Calendar, start: int, number: int) -> list[dict[str, Any]]:
    """The working days that were counted, each with its first opening and its last closing."""
    if number > _MOST_STEPS:
        raise _too_much_to_show()
    steps = []
    for day in calendar.timeline.working_days(start, ordinal_on(start, calendar.zone), number):
        stretches = calendar.timeline.stretches_of(day.toordinal())
        whole = Stretch(stretches[0].start, max(stretch.end for stretch in stretches))
        counted = sum(end - begin for begin, end in stretches)
        steps.append({"date": day.isoformat(), **_step(calendar, whole), "working_seconds": seconds(counted)})
    return steps


def _too_much_to_show() -> Fault:
    return Fault(("explain",), "bad_question", f"at most {_MOST_STEPS} steps are shown; without explain the question is answered")
