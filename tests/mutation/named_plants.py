"""Defects that once stood unseen by every test, each with its test by now: planted in every run, so that they stay found."""

from dataclasses import dataclass

from tests.mutation.defects import Defect, at
from tests.mutation.tree import ROOT

COMMON = "libs/common/src/common/"
APPRAISAL = "services/appraisal/src/appraisal/"


@dataclass(frozen=True)
class Plant:
    """One defect: what it does, its module, the words that stand there once, and what stands there instead."""

    what: str
    path: str
    before: str
    after: str

    def defect(self) -> Defect:
        """The defect in the module as it is; ValueError if the words do not stand there once."""
        return at(self.path, (ROOT / self.path).read_bytes(), self.before, self.after)


_KERNEL = [
    Plant(
        "a fixed deadline that is exactly now is late when the clock is reopened",
        f"{COMMON}kernel/tally.py",
        "if self.breached_at is None and self.promises and self.fixed is not None and self.fixed < self.now:",
        "if self.breached_at is None and self.promises and self.fixed is not None and self.fixed <= self.now:",
    ),
    Plant("two pauses that touch stay two", f"{COMMON}kernel/targets.py", "or since <= last)", "or since < last)"),
    Plant("a negative working time is taken", f"{COMMON}kernel/working_time.py", "if micros < 0:", "if False:"),
    Plant("a pause that ends when it begins is an error", f"{COMMON}kernel/targets.py", "and until < since:", "and until <= since:"),
    Plant(
        "the edge of ten years without working time",
        f"{COMMON}kernel/timeline.py",
        "if opens - closed > TEN_YEARS:",
        "if opens - closed >= TEN_YEARS:",
    ),
    Plant(
        "a step at the instant of the receipt comes before it",
        f"{COMMON}kernel/process.py",
        "if taken.at < self.opened_at:",
        "if taken.at <= self.opened_at:",
    ),
]
_CONTRACTS = [
    Plant("256 characters are too many", f"{COMMON}contracts/envelope.py", "len(found) > 256", "len(found) > 255"),
    Plant(
        "exactly the largest size is too large",
        f"{COMMON}contracts/envelope.py",
        "len(record.value) > MAX_BYTES",
        "len(record.value) >= MAX_BYTES",
    ),
    Plant(
        "a name stands twice when it stands once",
        f"{COMMON}kernel/strict_json.py",
        "if names.count(name) > 1)",
        "if names.count(name) >= 1)",
    ),
]
_SLA = [
    Plant(
        "a fact names the first 50 of its events instead of the last",
        f"{COMMON}sla/reconcile.py",
        "for event in clock.events))[-50:]",
        "for event in clock.events))[:50]",
    ),
    Plant("the whole target is no threshold", f"{COMMON}sla/policy.py", "if not 0 < share <= 1:", "if not 0 < share < 1:"),
    Plant(
        "a promise that begins at the very instant does not hold yet",
        f"{COMMON}sla/ledger.py",
        "if one.effective_at <= instant)",
        "if one.effective_at < instant)",
    ),
    Plant(
        "the policy of the start's own instant is not yet the one of the start",
        f"{COMMON}sla/rulebook.py",
        "if one.effective_at <= start), default=0)",
        "if one.effective_at < start), default=0)",
    ),
]
_STORE = [
    Plant(
        "since when a partition is behind begins anew at each look",
        f"{COMMON}store/positions.py",
        "THEN NULL ELSE coalesce(p.behind_since, CAST(:at AS timestamptz)) END",
        "THEN NULL ELSE CAST(:at AS timestamptz) END",
    ),
    Plant(
        "a redrive that failed is tried again and again",
        f"{COMMON}store/parked.py",
        '"UPDATE parked_keys SET redrive = false, reason = :reason',
        '"UPDATE parked_keys SET reason = :reason',
    ),
    Plant(
        "a timer fires although its clock moved on",
        f"{COMMON}store/timers.py",
        "WHERE timers.id = t.id AND timers.version = t.version AND",
        "WHERE timers.id = t.id AND",
    ),
    Plant(
        "a clock of a replayed history does not wait until that is idle",
        f"{COMMON}store/timers.py",
        "timer.version, clock.replay_of)",
        'timer.version, "")',
    ),
]
_RUNTIME = [
    Plant("the least sleep before a timer", f"{COMMON}runtime/timers.py", "max(due_in, 0.05)", "due_in"),
    Plant(
        "a batch with replayed records is not marked",
        f"{COMMON}runtime/consumer.py",
        "tally.replayed = any(found.envelope.replay_of for found in readable)",
        "tally.replayed = False",
    ),
    Plant(
        "fifty defects halt a partition though other records went well between them",
        f"{COMMON}runtime/batch_state.py",
        "self.defects.pop(place, None)",
        "pass",
    ),
    Plant("a partition halts at fifty defects", f"{COMMON}runtime/consumer.py", "if number > STOP_AFTER]", "if number >= STOP_AFTER]"),
    Plant(
        "events that waited go on in the order of their arrival",
        f"{COMMON}runtime/batch_state.py",
        "sorted(self.waiting.get(ref, ()), key=lambda wait: wait.received.envelope.time)",
        "list(self.waiting.get(ref, ()))",
    ),
]

_APPRAISAL = [
    Plant(
        "a fact at the very end of a cycle counts in both",
        f"{APPRAISAL}fact_store.py",
        "WHERE time >= $1 AND time < $2",
        "WHERE time >= $1 AND time <= $2",
    ),
    Plant(
        "a fact that was taken back counts",
        f"{APPRAISAL}fact_store.py",
        "          AND NOT (CAST(numerator AS numeric) = 0 AND CAST(denominator AS numeric) = 0)\n",
        "",
    ),
    Plant(
        "a fact that its own batch supersedes is not counted",
        f"{APPRAISAL}ingest.py",
        "new.setdefault(row.identity, (row, record))",
        "new.setdefault((row.key, 0), (row, record))",
    ),
    Plant(
        "history pays unless both the grade and the close are replays",
        f"{APPRAISAL}use_cases.py",
        "not (personal.replay_of or cycle.replay_of)",
        "not (personal.replay_of and cycle.replay_of)",
    ),
    Plant("a second close with the same instant", f"{APPRAISAL}domain/cycle.py", "or close.as_of > last", "or close.as_of >= last"),
    Plant(
        "a close exactly at the end of its cycle is too early",
        f"{APPRAISAL}domain/cycle.py",
        "if as_of < span.end:",
        "if as_of <= span.end:",
    ),
    Plant(
        "a post without a period of its own is not graded",
        f"{APPRAISAL}domain/cycle.py",
        "if (scheme.cycle.posts.get(post) or scheme.cycle.period) is length",
        "if scheme.cycle.posts.get(post) is length",
    ),
    Plant(
        "a cycle is graded before everything up to its watermarks was handled",
        f"{APPRAISAL}jobs.py",
        "if not await repository.has_passed(connection, cycle.watermarks) or await",
        "if await",
    ),
    Plant(
        "an outcome rule may have any fields",
        f"{APPRAISAL}domain/outcomes.py",
        'part.fields(known=("outcome", "grades", "trigger", "times", "confirm", "source"))',
        "part.fields()",
    ),
    Plant(
        "an indicator that alone makes no next grade is a way to it",
        f"{APPRAISAL}domain/explanation.py",
        "if one.further or one.of_the_missed",
        "if one.further and one.of_the_missed",
    ),
    Plant(
        "the groups of a scheme weigh ten times as much",
        f"{APPRAISAL}domain/raters.py",
        "percent(row.field(group)) / 100",
        "percent(row.field(group)) / 10",
    ),
    Plant(
        "the fast reader of facts takes an id of any length",
        f"{APPRAISAL}ingest.py",
        "list[Annotated[str, Meta(max_length=256)]]",
        "list[str]",
    ),
    Plant(
        "how many were asked and have not rated is no part of a question's digest",
        f"{APPRAISAL}domain/answer.py",
        "missing = max(0, (value.assigned or 0) - len(value.submitted))",
        "missing = min(0, (value.assigned or 0) - len(value.submitted))",
    ),
    Plant(
        "one scheme alone deducts base pay twice",
        f"{APPRAISAL}domain/scheme_checks.py",
        "if _deducts(file.document) and _deducts(told.document):",
        "if _deducts(file.document) or _deducts(told.document):",
    ),
    Plant(
        "a gate caps a grade in words",
        f"{APPRAISAL}domain/scheme.py",
        'if gates and "scale" not in whole:',
        "if False:",
    ),
    Plant("one person stands twice in an organisation", f"{COMMON}kernel/parties.py", "if len(set(numbers)) != len(numbers):", "if False:"),
    Plant(
        "peers need not have the same superior",
        f"{COMMON}kernel/staff.py",
        "return (member.level or member.post, member.superior, *where)",
        "return (member.level or member.post, *where)",
    ),
]

PLANTS: list[Plant] = [*_KERNEL, *_CONTRACTS, *_SLA, *_STORE, *_RUNTIME, *_APPRAISAL]
