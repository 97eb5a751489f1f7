"""Answers to single questions about working time and clocks, with the code that the services run (interfaces 3, 3b)."""

from collections.abc import Mapping
from typing import Any

from common.kernel.calendar_json import ranges_text
from common.kernel.calendars import BUILT_IN, built_in, named
from common.kernel.clock_errors import ClockError, refuse_unknown
from common.kernel.clock_json import inline_key, read_event, seconds, write_doubt, write_state
from common.kernel.instants import ordinal_on, parse_date, parse_instant, to_micros
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
_KNOWN = tuple(dict.fromkeys(name for fields in _FORMS.values() for name in fields))


class Questions:
    """Answers questions, remembering the inline calendars it has seen, since the next line mostly names the same one."""

    def __init__(self, others: Mapping[str, Calendar] | None = None) -> None:
        self._named: dict[str, Calendar] = dict(others or {})
        self._inline: dict[str, Calendar] = {}
        self._size = 0

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer without the `id`, or an `error` with code, field and message."""
        try:
            match _form(question):
                case "target":
                    return self._deadline(question)
                case "end":
                    return self._between(question)
                case "at":
                    return self._at(question)
                case "date":
                    return self._date(question)
                case _:
                    return self._clock(question)
        except ClockError as problem:
            return error(problem.code, problem.field, problem.message)

    def _deadline(self, question: Mapping[str, Any]) -> dict[str, Any]:
        calendar, start, pauses = self._calendar(question), _micros(question, "start"), _pauses(question)
        target = read_target(question["target"], "target")
        due = due_at(calendar, start, target, pauses)
        if due is None:
            return {"deadline": None, "provisional": False} | ({"steps": []} if _explained(question) else {})
        deadline = calendar.instant(due)
        answer: dict[str, Any] = {"deadline": deadline.isoformat(), "provisional": False, **_doubt(calendar, start, due)}
        if _explained(question):
            if isinstance(target, WorkingDays) and fixed_instant(calendar, start, target) is not None:
                answer["steps"] = _day_steps(calendar, start, target.number)
            else:
                answer["steps"] = _steps(calendar, running_spans(start, due, pauses))
        return answer

    def _between(self, question: Mapping[str, Any]) -> dict[str, Any]:
        calendar, start, end = self._calendar(question), _micros(question, "start"), _micros(question, "end")
        if end < start:
            raise ClockError("end_before_start", "end", "the end lies before the start")
        pauses = _pauses(question)
        answer = {"working_seconds": seconds(worked(calendar, start, end, pauses))}
        return self._finished(question, calendar, (start, end), answer, running_spans(start, end, pauses))

    def _at(self, question: Mapping[str, Any]) -> dict[str, Any]:
        calendar, at = self._calendar(question), _micros(question, "at")
        working = calendar.timeline.is_working(at)
        open_now = [calendar.timeline.open_stretch(at)] if working else []
        return self._finished(question, calendar, (at, at), {"working": working}, open_now)

    def _date(self, question: Mapping[str, Any]) -> dict[str, Any]:
        calendar, day = self._calendar(question), parse_date(question["date"], "date")
        hours = calendar.hours_of(day)
        answer: dict[str, Any] = {"working_day": bool(hours), "ranges": ranges_text(hours)}
        answer |= write_doubt(calendar.doubt(day, day))
        if _explained(question):
            answer["steps"] = [_step(calendar, stretch) for stretch in calendar.timeline.stretches_of(day.toordinal())]
        return answer

    def _clock(self, question: Mapping[str, Any]) -> dict[str, Any]:
        documents = question["events"]
        if not isinstance(documents, list):
            raise ClockError("bad_event", "events", "a list of events is expected")
        if len(documents) > _MOST_EVENTS:
            raise ClockError("bad_event", "events", f"a history has at most {_MOST_EVENTS} events, not {len(documents)}")
        inline: dict[str, Calendar] = {}

        def key(document: object, field: str) -> str:
            if isinstance(document, str):
                named(document, self._named, field)
                return document
            name = inline_key(document)
            inline[name] = self._inline_calendar(document, field)
            if len(inline) > _MOST_CALENDARS:
                raise ClockError("bad_calendar", field, f"a history brings at most {_MOST_CALENDARS} calendars of its own")
            return name

        events = [read_event(document, f"events[{index}]", key) for index, document in enumerate(documents)]
        as_of = parse_instant(question.get("as_of"), "as_of")
        try:
            clock = fold(events, as_of, self._named | inline)
        except ClockError as problem:
            place = next((f"events[{index}]." for index, event in enumerate(events) if problem.event_id == event.id), "")
            raise ClockError(problem.code, f"{place}{problem.field}", problem.message) from None
        return write_state(clock, explain=_explained(question))

    def _finished(
        self, question: Mapping[str, Any], calendar: Calendar, span: tuple[int, int], answer: dict[str, Any], counted: list[Stretch]
    ) -> dict[str, Any]:
        answer |= _doubt(calendar, *span)
        if _explained(question):
            answer["steps"] = _steps(calendar, counted)
        return answer

    def _calendar(self, question: Mapping[str, Any]) -> Calendar:
        document = question.get("calendar")
        if not isinstance(document, str):
            return self._inline_calendar(document, "calendar")
        if document in self._named or document not in BUILT_IN:
            return named(document, self._named)
        return built_in(document)

    def _inline_calendar(self, document: object, field: str) -> Calendar:
        if not isinstance(document, dict):
            raise ClockError("bad_calendar", field, "the name of a calendar or a whole one is expected")
        key = repr(document)
        calendar = self._inline.get(key)
        if calendar is None:
            calendar = Calendar.from_json(document, field)
            self._size += len(key)
            while self._inline and (len(self._inline) >= _REMEMBERED or self._size > _MOST_REMEMBERED):
                oldest = next(iter(self._inline))
                self._size -= len(oldest)
                del self._inline[oldest]
            self._inline[key] = calendar
        return calendar


def _form(question: Mapping[str, Any]) -> str:
    """Which of its fields tells what a question asks; no question has a field that its answer would not go by."""
    refuse_unknown(question, _KNOWN, "")
    forms = [form for form in _FORMS if form in question]
    if len(forms) != 1:
        raise ClockError("bad_question", "", f"a question has exactly one of {', '.join(_FORMS)}")
    refuse_unknown(question, _FORMS[forms[0]], "")
    if not isinstance(question.get("explain", False), bool | None):
        raise ClockError("bad_question", "explain", "true or false is expected")
    return forms[0]


def _doubt(calendar: Calendar, start: int, end: int) -> dict[str, Any]:
    """What is to be said of an answer that rests on the days from `start` to `end`; 24:00 belongs to the day that it ends."""
    if calendar.known_until is None and calendar.known_from is None:
        return {}
    return write_doubt(calendar.doubt(calendar.date_of(start), calendar.date_of(max(start, end - 1))))


def _micros(question: Mapping[str, Any], name: str) -> int:
    return to_micros(parse_instant(question.get(name), name))


def _pauses(question: Mapping[str, Any]) -> list[Pause]:
    pauses = question.get("pauses")
    return read_pauses(pauses, "pauses") if pauses is not None else []


def _explained(question: Mapping[str, Any]) -> bool:
    return question.get("explain") is True


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


def _too_much_to_show() -> ClockError:
    return ClockError("bad_question", "explain", f"at most {_MOST_STEPS} steps are shown; without explain the question is answered")
