"""Who did the work and what has to be published when that becomes known: the same in whatever order it does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted

from common.contracts.kpi_facts import DIMENSIONS, dimensions_of
from common.kernel.observations import Observation, changes
from common.kernel.works import WorkStep, completions, last_before, with_step

MONDAY = datetime(2026, 7, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def done(hour: int, by: str, work: str = "w1", number: int = 1) -> WorkStep:
    return WorkStep(work, MONDAY + hour * HOUR, number, by)


def came_back(hour: int, work: str = "w1", number: int = 1) -> WorkStep:
    return WorkStep(work, MONDAY + hour * HOUR, number)


def known(*steps: WorkStep) -> tuple[WorkStep, ...]:
    found: tuple[WorkStep, ...] = ()
    for step in steps:
        found = with_step(found, step)
    return found


def test_of_several_completions_without_a_reopening_between_them_the_first_counts() -> None:
    assert completions(known(done(2, "E2"), done(1, "E1"))) == (done(1, "E1"),)
    assert completions(known(done(3, "E2"), came_back(2), done(1, "E1"))) == (done(1, "E1"), done(3, "E2"))


def test_a_reopening_concerns_its_own_work_only() -> None:
    assert completions(known(done(1, "E1"), came_back(2, "w2"), done(3, "E2"))) == (done(1, "E1"),)


def test_the_decisions_of_one_instant_count_by_their_number() -> None:
    steps = done(1, "E1", number=1), came_back(1, number=2), done(1, "E2", number=3)
    for order in permutations(steps):
        assert completions(known(*order)) == (steps[0], steps[2])


def test_the_last_completion_up_to_an_instant_is_of_whichever_work_and_includes_that_instant() -> None:
    steps = known(done(1, "E1"), done(3, "E3", "w2"), done(2, "E2", "w3"))
    assert last_before(steps, MONDAY) is None
    assert last_before(steps, MONDAY + 2 * HOUR) == done(2, "E2", "w3")
    assert last_before(steps, MONDAY + 9 * HOUR) == done(3, "E3", "w2")


@counted(100, proof=5_000)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["w1", "w2"]), st.sampled_from(["", "E1", "E2"])), max_size=8), st.randoms())
def test_neither_order_nor_repetition_changes_what_is_known(drawn: list[tuple[int, str, str]], random: object) -> None:
    steps = [WorkStep(work, MONDAY + hour * HOUR, number, by) for number, (hour, work, by) in enumerate(drawn)]
    shuffled = [*steps, *steps]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis draws a Random
    assert known(*shuffled) == known(*steps)


def an_observation(subject: str = "employee:E1", numerator: int = 3, revision: int = 5, occurrence: int = 0) -> Observation:
    traits = {"region": "north", "category": "noise"}
    return Observation("customer_satisfaction", subject, MONDAY, numerator, 4, revision, occurrence, traits, "t1")


def test_what_is_the_same_as_before_is_not_published() -> None:
    assert changes([an_observation()], [an_observation()]) == []
    assert changes([], [an_observation()]) == [an_observation()]
    assert changes([an_observation()], [an_observation(revision=6)]) == [an_observation(revision=6)]


def test_credit_that_moves_is_taken_back_in_the_revision_in_which_it_is_given() -> None:
    given, taken = changes([an_observation()], [an_observation("employee:E2", revision=9)])
    assert given == an_observation("employee:E2", revision=9)
    assert taken == replace(an_observation(), numerator=0, denominator=0, revision=9, traits={}, team="")


def test_credit_that_goes_is_taken_back_in_a_higher_revision() -> None:
    (taken,) = changes([an_observation()], [])
    assert (taken.subject, taken.numerator, taken.denominator, taken.revision) == ("employee:E1", 0, 0, 6)
    (_, taken) = changes([an_observation()], [an_observation("employee:E2", revision=2, occurrence=1)])
    assert (taken.occurrence, taken.revision) == (0, 6)


def test_the_dimensions_of_a_fact_are_the_traits_that_are_known_and_the_team() -> None:
    traits = {"region": "north", "category": "noise", "severity": "high", "outlet": ""}
    assert dimensions_of(traits, "t1") == {"region": "north", "problem_type": "noise", "team": "t1"}
    assert dimensions_of({}) == {}
    assert list(dimensions_of({"product": "p", "region": "r"}, "t")) == [
        name for name in DIMENSIONS if name in ("product", "region", "team")
    ]
