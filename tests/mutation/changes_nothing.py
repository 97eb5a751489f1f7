"""Defects that no test can find, because they change nothing that anybody could observe, each with its reason.

An entry has to match the source: `tests/mutation/test_defects.py` fails for one that no defect of its module matches any more.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Equivalent:
    """One defect, named by its module, its function and the lines that differ, and why nothing comes of it."""

    path: str
    inside: str
    before: str
    after: str
    why: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is found by."""
        return self.path, self.inside, self.before, self.after


_COMMON = "libs/common/src/common/"


def _each(place: str, before: str, steps: list[tuple[str, str]], why: str) -> list[Equivalent]:
    """The same for several small steps in one line: the module and function, the line, and what stands where instead."""
    path, _, inside = place.partition(":")
    return [Equivalent(f"{_COMMON}{path}.py", inside, before, before.replace(old, new, 1), why) for old, new in steps]


def _about(path: str, inside: str, line: str, why: str) -> Iterator[Equivalent]:
    """Each number of a line one more or one less, where it is a matter of economy and no amount is the right one."""
    for found in re.finditer(r'(?<![\w.")])\d+(?![\w.])', line):
        for number in (int(found[0]) + 1, int(found[0]) - 1):
            yield Equivalent(path, inside, line, f"{line[: found.start()]}{number}{line[found.end() :]}", why)


_APPRAISAL = "services/appraisal/src/appraisal/"
_FINDINGS = f"{_APPRAISAL}domain/scheme_findings.py"
_SO_MANY = "whoever has thousands of faults has the first of them in any case, and no certain number of others"
_MARGIN = "the span has days to spare before and after the year"
_RANGE_OF_DAYS = "for ordinal in range(first - 2, last + 2) # a date's ranges, over midnight and in any zone, reach so far into the year"
_WHOLE_DAY = "if since <= base and base + 2 * DAY <= until: # so lie most days: nothing of them has to be cut"
_SAMPLES = "for sample in range(max(since, listed[-1] * SECOND if listed else since), until, 7 * DAY):"
_HALF_DAYS = "return first if first == _offset_at(zone, (half_day + 1) * _HALF_DAY - 1) else None"

_STORE = "libs/common/src/common/store/"
_RUNTIME = "libs/common/src/common/runtime/"
_INTAKE = "services/intake/src/intake/domain/"
_REST_COMES_NEXT = "what is left comes in the next round, and no round is right to the record"
_TOO_LONG_AWAY = "how long is too long for a server to answer is right to no second"
_NOT_AT_THAT_INSTANT = "no statement can be made to run at that very microsecond of its own clock"
_LOCKED_ALREADY = "the aggregates whose rows these are have been locked before, so that no other transaction comes near them"
_ONLY_HASTE = "an index makes nothing but haste"
_CLOCKS_REVISION = (
    "CREATE INDEX clocks_revision ON clocks (revision) WHERE outcome IN ('open', 'none') AND state NOT IN ('stopped', 'void');"
)
_LATELY = (
    'REPLAYED_LATELY = "EXISTS (SELECT FROM consumer_progress WHERE replayed_at > clock_timestamp() - CAST(:replay_idle AS interval))"'
)
_WHILE_HELD = "return self._epoch if self._epoch is not None and asyncio.get_running_loop().time() < self._until else None"
_LETTER_IS_OPEN = (
    '_OPEN = text("SELECT EXISTS (SELECT FROM dead_letters WHERE topic = :topic AND closed_at IS NULL '
    "AND rule <> 'conflicting_duplicate')\")"
)

EQUIVALENTS: list[Equivalent] = [
    *_each(
        "kernel/ids:derived_id",
        'variant = "89ab"[int(digest[4], 16) & 3]',
        [("16", "17")],
        "one digit has the same value in both bases",
    ),
    *_each(
        "kernel/open_years:",
        "_LONG_AGO = -(10**18)",
        [("**18", "**17"), ("**18", "**19"), ("10", "9"), ("10", "11")],
        "any instant before the first accepted year does",
    ),
    *_each(
        "kernel/open_years:_offsets",
        "until = (date(year, 12, 31).toordinal() - EPOCH_ORDINAL + 6) * DAY",
        [("31", "30"), ("+ 6", "+ 5"), ("+ 6", "+ 7")],
        _MARGIN,
    ),
    *_each(
        "kernel/open_years:_offsets",
        "since = (date(year, 1, 1).toordinal() - EPOCH_ORDINAL - 3) * DAY",
        [("1, 1", "1, 2"), ("- 3", "- 2"), ("- 3", "- 4")],
        _MARGIN,
    ),
    *_each(
        "kernel/open_years:open_year",
        _RANGE_OF_DAYS,
        [("first - 2", "first - 3"), ("last + 2", "last + 3")],
        "no range of a day reaches further into the year",
    ),
    *_each(
        "kernel/open_years:open_year",
        "united = united_pieces(sorted(chain.from_iterable(pieces for _, pieces in by_day)))",
        [("sorted", "list")],
        "the pieces of days that follow each other come in order",
    ),
    *_each(
        "kernel/open_years:united_pieces",
        "starts, ends = map(itemgetter(0), pieces[1:]), map(itemgetter(1), pieces)",
        [("1:", "0:")],
        "without the short way the pieces are united one by one to the same",
    ),
    *_each(
        "kernel/open_years:_cut",
        "return starts, ends, False",
        [("False", "True")],
        "a year without stretches has no last one that could go on",
    ),
    *_each(
        "kernel/open_years:_on_utc",
        _WHOLE_DAY,
        [("since <=", "since <"), ("DAY <=", "DAY <"), ("2 *", "3 *")],
        "a day is the same whether it is taken whole or cut where nothing has to be cut",
    ),
    *_each(
        "kernel/open_years:_changes",
        _SAMPLES,
        [("7 *", "6 *")],
        "weeks that overlap find a change twice, and the second time it changes no offset",
    ),
    *_each(
        "kernel/open_years:_changes",
        "low, high = sample // SECOND, (sample + 7 * DAY) // SECOND",
        [("7 *", "8 *")],
        "weeks that overlap find a change twice, and the second time it changes no offset",
    ),
    *_each(
        "kernel/open_years:_changes",
        "continue",
        [("continue", "pass")],
        "in a week without a change a second is found at which no offset changes",
    ),
    *_each(
        "kernel/timeline:",
        "_MOST_KEPT = 500_000 # stretches of all calendars together, about 70 MB",
        [("500_000", "500001"), ("500_000", "499999")],
        "how many stretches are held changes no answer",
    ),
    *_each(
        "kernel/timeline:Timeline.between",
        "if year.since <= end < year.until:",
        [("< year.until", "<= year.until")],
        "the end of a year is counted alike from the year and from the next one",
    ),
    *_each(
        "kernel/timeline:Timeline.between",
        "if end < start:",
        [("<", "<=")],
        "an end that is the start lies in the start's year, which was looked at before",
    ),
    *_each(
        "kernel/timeline:Timeline.open_stretch",
        "return next(Stretch(start, end) for start, end in united_pieces(sorted(near)) if start <= at < end)",
        [("sorted", "list")],
        "the pieces of days that follow each other come in order",
    ),
    *_each(
        "kernel/timeline:Timeline.stretches",
        "for number in range(year_of(start), year_of(end - 1) + 1):",
        [("end - 1", "end + 1"), ("end - 1", "end - 0"), ("+ 1)", "+ 2)")],
        "no stretch of a later year begins before the end",
    ),
    *_each(
        "kernel/timeline:Timeline.built",
        "self._outlines[number] = year.outline",
        [("self._outlines[number] = year.outline", "pass")],
        "an outline that is not remembered is taken from its year again",
    ),
    *_each(
        "kernel/timeline:Timeline._around",
        "if latest is not None and latest.since <= at < latest.until:",
        [("since <=", "since <")],
        "a year that is not at hand is looked up",
    ),
    *_each(
        "kernel/timeline:Timeline._later",
        "while self._outline(number).until - start <= HUNDRED_YEARS:",
        [("<=", "<")],
        "no year that begins in a hundred years holds a deadline before that",
    ),
    *_each(
        "kernel/instants:",
        "_HALF_DAY = DAY // 2",
        [("//", "*"), ("2", "1"), ("2", "3")],
        "no zone has changed its clocks and back within two days",
    ),
    *_each(
        "kernel/instants:_offset_through",
        _HALF_DAYS,
        [("+ 1", "+ 2"), ("- 1", "+ 1"), ("- 1", "- 0"), ("- 1", "- 2")],
        "a half day after which the clocks change is asked for each instant, and none change in the last microsecond of one",
    ),
    *_each(
        "kernel/sla_clock:Course.and_event",
        "if place <= self._last or not self.is_whole or isinstance(event, Excused):",
        [("<=", "<")],
        "two events of one place have one id",
    ),
    *_each(
        "kernel/tally:Tally._overdue",
        'late = [segment for segment in self.segments if segment.state == "running" and segment.end > self.fixed]',
        [("end >", "end >=")],
        "a stretch that ends at an instant has no time after it",
    ),
    *_each(
        "kernel/strict_json:_integer",
        "if len(text) > 20 or not -_INT64 <= (value := int(text)) < _INT64:",
        [("20", "21")],
        "no number of 21 characters has 64 bits",
    ),
    *_each(
        "kernel/strict_json:strict_json",
        'if raw.count(b"[") + raw.count(b"{") > DEEPEST and is_too_deep(value):',
        [(">", ">=")],
        "what is just deep enough is looked at and is not too deep",
    ),
    *_each(
        "kernel/zones:changes",
        "second = 44 + times * 5 + types * 6 + letters + leaps * 8 + is_standard + is_utc",
        [("* 8", "* 7"), ("* 8", "* 9")],
        "the packaged data count no leap seconds",
    ),
    *_each(
        "kernel/json_lines:",
        "_CHUNK = 1 << 16",
        [("1 <", "2 <"), ("16", "15"), ("16", "17")],
        "how much is read at once changes no answer",
    ),
    *_each(
        "kernel/json_lines:_answered",
        "write = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode",
        [("allow_nan=False", "allow_nan=True"), ("allow_nan=False", "")],
        "no answer holds a number that is none",
    ),
    *_each(
        "kernel/known_fields:nearest",
        'return next(iter(get_close_matches(name[:_LONGEST_NAME].lower(), list(known), 1)), "")',
        [(", 1)", ", 2)")],
        "the first of two is the same as the only one",
    ),
    *_each(
        "kernel/observations:changes",
        "revision = max(one.revision + 1, revisions.get((one.indicator, one.occurrence), 0))",
        [(", 0)", ", 1)")],
        "a revision after the first is above one anyway",
    ),
    *_each(
        "kernel/parties:Kind",
        "TRANSFERRED = 3",
        [("3", "4")],
        "only the order of the kinds counts",
    ),
    *_each(
        "kernel/parties:Organisation.of",
        "if all(number in parts for number in range(1, parts[min(parts)].parts + 1)):",
        [("min", "max")],
        "each part of a picture says how many there are",
    ),
    *_each(
        "kernel/parties:_rows",
        "last_picture = max((number for number, one in enumerate(changes) if one.kind is Kind.DESCRIBED), default=0)",
        [("default=0", "default=1")],
        "without a picture no change counts, the first neither",
    ),
    *_each(
        "kernel/parties:_has_circle",
        "clear |= way",
        [("clear |= way", "pass")],
        "who is known to be in no circle is only looked at again",
    ),
    *_each(
        "sla/ledger:",
        "_AFTER_ALL = 1_000_000",
        [("1_000_000", "1000001"), ("1_000_000", "999999")],
        "no ledger has so many events at one instant",
    ),
    *_each(
        "sla/ledger:_continued",
        "if course is None or before.excuses or before.revision != rulebook.revision or as_of < before.state.as_of:",
        [("as_of <", "as_of <=")],
        "whatever is not continued is folded from the start to the same",
    ),
    *_each(
        "sla/ledger:_continued",
        "if is_known or isinstance(event, Started | Changed | Extended | Restarted) or event.at > as_of:",
        [("at >", "at >=")],
        "whatever is not continued is folded from the start to the same",
    ),
    *_each(
        "store/parties:PartiesCache.now",
        "if (revision.changes, revision.newest_change) != (len(self._numbers), max(self._numbers, default=0)):",
        [("max", "min")],
        "what is known already is asked for once more, and nothing new comes of it",
    ),
    *_each(
        "runtime/batch_state:BatchState.resume",
        "break",
        [("break", "pass")],
        "the others are tried in the same order, and once more in the next turn",
    ),
    Equivalent(
        "services/appraisal/src/appraisal/use_cases.py",
        "_lacking",
        'return Refused("unknown_calendar", was=scheme.cycle.calendar[:256], field="scheme")',
        'return Refused("unknown_calendar", was=scheme.cycle.calendar[:257], field="scheme")',
        "no name of a calendar is so long",
    ),
    *_each(
        "sla/reconcile:_thresholds",
        "used = share_before(clock.state, before) if before is not None else share or Fraction(1)",
        [("Fraction(1)", "Fraction(0)"), ("Fraction(1)", "Fraction(2)")],
        "a threshold has a share where it has no time before the deadline",
    ),
    *_each(
        "sla/clock:Clock.next_due",
        "due = [one.at for one in (self.thresholds_due() if thresholds is None else thresholds)[:1]]",
        [(":1]", ":2]")],
        "of thresholds in their order the first is the least",
    ),
    *(Equivalent(_FINDINGS, "", "_MOST_READS = 2000", after, _SO_MANY) for after in ("_MOST_READS = 1999", "_MOST_READS = 2001")),
    *(
        Equivalent(
            _FINDINGS,
            "_Reading._refused",
            "fault = _fault_of(place.put(value)) if self._left >= 0 else None",
            f"fault = _fault_of(place.put(value)) if self._left {after} else None",
            _SO_MANY,
        )
        for after in (">= 1", "> 0")
    ),
    *_about(f"{_STORE}clocks.py", "", "AT_ONCE = 500", _REST_COMES_NEXT),
    *_about(f"{_STORE}timers.py", "", "AT_ONCE = 200", _REST_COMES_NEXT),
    *_about(f"{_STORE}outbox.py", "", "AT_ONCE = 2000", _REST_COMES_NEXT),
    *_about(f"{_STORE}outbox.py", "", "BYTES_AT_ONCE = 8 * 1024 * 1024", _REST_COMES_NEXT),
    *_about(f"{_STORE}held_back.py", "", "IN_HAND = 16 * 1024 * 1024", "what is not in hand is read from its row"),
    *_about(
        f"{_STORE}positions.py",
        "",
        "CAUGHT_UP_STALE_AFTER = timedelta(seconds=4)",
        "two looks are half a second apart: any few seconds tell an outage from the time between them",
    ),
    *_about(f"{_STORE}replica_name.py", "", "GHOST_SECONDS = 20", _TOO_LONG_AWAY),
    *_about(
        f"{_STORE}replica_name.py",
        "ReplicaName.take",
        'dsn(self._database.url), timeout=5, command_timeout=5, server_settings={**_DEAD_PEER, "idle_session_timeout": "0"}',
        _TOO_LONG_AWAY,
    ),
    *_about(
        f"{_STORE}database.py",
        "Database.__init__",
        "def __init__(self, server_url: str, name: str, *, pool_size: int = 8) -> None:",
        "a statement waits for a connection that is free, however many there are",
    ),
    *_about(
        f"{_STORE}database.py",
        "Database.__init__",
        "max_overflow=4,",
        "a statement waits for a connection that is free, however many there are",
    ),
    *_about(f"{_STORE}database.py", "Database.__init__", "pool_timeout=10,", _TOO_LONG_AWAY),
    *_about(
        f"{_STORE}database.py",
        "Database.__init__",
        'connect_args={"server_settings": _LIMITS, "timeout": 5, "command_timeout": 15},',
        _TOO_LONG_AWAY,
    ),
    *_about(
        f"{_STORE}database.py",
        "Database.create_if_missing",
        'server: asyncpg.Connection = await asyncpg.connect(dsn(self.url.set(database="postgres")), timeout=5)',
        _TOO_LONG_AWAY,
    ),
    *_about(f"{_STORE}database.py", "Database.ping", "async with asyncio.timeout(2), self.transaction() as connection:", _TOO_LONG_AWAY),
    Equivalent(
        f"{_STORE}database.py",
        "Database.__init__",
        "json_deserializer=from_json, # of what PostgreSQL has written, in half the time of the standard library",
        "# of what PostgreSQL has written, in half the time of the standard library",
        "the standard library reads the same, in twice the time",
    ),
    *_about(
        f"{_STORE}lease.py",
        "Lease.hold",
        "await asyncio.sleep(1 if self.epoch is None else LEASE_SECONDS / 4)",
        "how often one asks is economy, as long as it is well within the lease",
    ),
    Equivalent(
        f"{_STORE}lease.py",
        "Lease.hold",
        "await asyncio.sleep(1 if self.epoch is None else LEASE_SECONDS / 4)",
        "await asyncio.sleep(1 if self.epoch is not None else LEASE_SECONDS / 4)",
        "how often one asks is economy, as long as it is well within the lease",
    ),
    *(
        Equivalent(f"{_STORE}lease.py", "", line, line.replace(f"until {edge} clock", f"until {edge}= clock", 1), _NOT_AT_THAT_INSTANT)
        for line, edge in (
            ("OR until < clock_timestamp() OR until > clock_timestamp() + 2 * make_interval(secs => :seconds)", "<"),
            ("OR until < clock_timestamp() OR until > clock_timestamp() + 2 * make_interval(secs => :seconds)", ">"),
            ('HELD = "EXISTS (SELECT FROM relay_lease WHERE owner = :owner AND epoch = :epoch AND until > clock_timestamp())"', ">"),
        )
    ),
    Equivalent(f"{_STORE}positions.py", "", _LATELY, _LATELY.replace(" > ", " >= "), _NOT_AT_THAT_INSTANT),
    Equivalent(f"{_STORE}lease.py", "Lease.epoch", _WHILE_HELD, _WHILE_HELD.replace(" < ", " <= "), _NOT_AT_THAT_INSTANT),
    Equivalent(f"{_STORE}clocks.py", "save", "changed.sort(key=lambda clock: clock.id)", "pass", _LOCKED_ALREADY),
    Equivalent(
        f"{_STORE}timers.py",
        "save_wake_ups",
        "changed = [wake_ups.known[key] for key in sorted(wake_ups.changed)]",
        "changed = [wake_ups.known[key] for key in list(wake_ups.changed)]",
        _LOCKED_ALREADY,
    ),
    Equivalent(
        f"{_STORE}inbox.py",
        "take",
        "if len(new) < len(first):",
        "if len(new) <= len(first):",
        "what was taken just now is asked for once more, and is what it was taken as",
    ),
    *(
        Equivalent(
            f"{_STORE}dead_letters.py",
            "",
            _LETTER_IS_OPEN,
            _LETTER_IS_OPEN.replace(" AND ", " OR ", number).replace(" OR ", " AND ", number - 1),
            "it only spares the statement that closes letters, which looks for itself",
        )
        for number in (1, 2)
    ),
    *(
        Equivalent(f"{_STORE}schema.py", "", line, line.replace(before, after), _ONLY_HASTE)
        for line, before, after in (
            ("CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;", "IS NULL", "IS NOT NULL"),
            ("CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;", "IS NOT NULL", "IS NULL"),
            ("CREATE INDEX outbox_refused ON outbox (aggregatetype, aggregateid, id) WHERE refused IS NOT NULL;", "IS NOT NULL", "IS NULL"),
            ("CREATE INDEX dead_letters_open ON dead_letters (source, event_id) WHERE closed_at IS NULL;", "IS NULL", "IS NOT NULL"),
            ("CREATE INDEX clocks_closed ON clocks (stage, closed_at) WHERE closed_at IS NOT NULL;", "IS NOT NULL", "IS NULL"),
            (_CLOCKS_REVISION, "AND", "OR"),
            ("CREATE INDEX clocks_revision_ended ON clocks (revision, ended_at) WHERE ended_at IS NOT NULL;", "IS NOT NULL", "IS NULL"),
        )
    ),
    *(
        Equivalent(path, inside, line, line.replace("where[-1]", "where[1]"), "an entry of the only field of a body stands two names deep")
        for path, inside, line in (
            (
                f"{_INTAKE}catalogue.py",
                "_item",
                'return str(node.where[-1]), Item(node.field("zh").text(), node.field("en").text(), cast("Route", route), '
                'cast("Priority", priority))',
            ),
            (f"{_INTAKE}triage.py", "_line", 'return str(node.where[-1]), cast("Mapping[str, Priority]", found)'),
        )
    ),
    *_about(f"{_RUNTIME}consumer.py", "", "AT_ONCE = 200", _REST_COMES_NEXT),
    Equivalent(
        f"{_APPRAISAL}jobs.py",
        "close_cycles",
        "await asyncio.gather(*running.values(), return_exceptions=True)",
        "pass",
        "steps that were cancelled end by themselves; that they are waited for is order when a service stops",
    ),
    Equivalent(
        f"{_APPRAISAL}jobs.py",
        "_Close._fenced",
        "return transaction if found is not None and _is_same_close(found, self.cycle) else None",
        "return transaction if found is not None and _is_same_close(self.cycle, found) else None",
        "whether two are the same is the same from either side",
    ),
    *_about(
        f"{_RUNTIME}relay.py",
        "Relay._answered",
        "_, waiting = await asyncio.wait(futures, timeout=1)",
        "how often one asks for the lease while Kafka answers is economy: a loss of it shows in whatever is sent next",
    ),
    *_about(
        f"{_RUNTIME}consumer.py",
        "EventConsumer.consume",
        "await asyncio.sleep(random.uniform(0.5, 1) * min(0.2 * 2**self._failures, 5)) # noqa: S311 - jitter, not a secret",
        "a batch that failed comes again, and no pause before that is right to the second",
    ),
    *_about(f"{_INTAKE}service_request.py", "", "_KNOWN = 256", "any number does that is beyond the work for one request"),
    Equivalent(
        f"{_INTAKE}service_request.py",
        "ServiceRequest._observed",
        "revision=_KNOWN * known + min(sum(step.at <= closed.at for step in self.work), _KNOWN - 1),",
        "revision=_KNOWN * known + min(sum(step.at <= closed.at for step in self.work), _KNOWN - 2),",
        "as above: what is counted of work stays below what an end or a survey is worth",
    ),
    *(
        Equivalent(f"{_STORE}{module}", "", line, line.replace("*", "+", number).replace("+", "*", number - 1), _REST_COMES_NEXT)
        for module, line in (("outbox.py", "BYTES_AT_ONCE = 8 * 1024 * 1024"), ("held_back.py", "IN_HAND = 16 * 1024 * 1024"))
        for number in (1, 2)
    ),
    *(
        Equivalent(f"{_STORE}replica_name.py", "ReplicaName.hold", before, after, _TOO_LONG_AWAY)
        for before, after in (
            ("while refused < GHOST_SECONDS:", "while refused <= GHOST_SECONDS:"),
            ("refused = 0", "refused = 1"),
            ("await asyncio.sleep(1)", "await asyncio.sleep(2)"),
            (
                "refused = 0 if await self._is_held() else refused + 1",
                "refused = 1 if await self._is_held() else refused + 1",
            ),
        )
    ),
    *(
        Equivalent(f"{_APPRAISAL}{module}", "", f"{name} = {number:_}", f"{name} = {other}", _REST_COMES_NEXT)
        for module, name, number in (
            ("ingest.py", "BATCH", 10_000),
            ("fact_store.py", "_AT_ONCE", 2_000),
            ("repository.py", "_AT_ONCE", 1_000),
            ("jobs.py", "_LOT", 250),
        )
        for other in (number + 1, number - 1)
    ),
    *(Equivalent(f"{_APPRAISAL}fact_store.py", "", "_PATIENCE = 600", f"_PATIENCE = {other}", _TOO_LONG_AWAY) for other in (601, 599)),
]
