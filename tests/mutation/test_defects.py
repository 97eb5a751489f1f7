"""Which defects are planted, and that the two lists of known ones match the source."""

from textwrap import dedent

import pytest
from tests.mutation.__main__ import EDGES, PACKAGES, drawn, modules
from tests.mutation.changes_nothing import EQUIVALENTS, Equivalent
from tests.mutation.defects import at, defects_of
from tests.mutation.named_plants import PLANTS, Plant
from tests.mutation.tree import ROOT


def planted(source: str) -> set[str]:
    """Each line that a defect of the source makes of one of its lines."""
    return {defect.after for defect in defects_of("m.py", dedent(source).encode())}


@pytest.mark.parametrize(
    ("line", "defects"),
    [
        ("a < b", {"a <= b"}),
        ("(a) >= (b)", {"(a) > (b)"}),
        ("a is not None", {"a is None"}),
        ("a not in b", {"a in b"}),
        ("a and b or c", {"a or b or c", "a and b and c"}),
        ("not a", {"a"}),
        ("a + 50", {"a - 50", "a + 51", "a + 49"}),
        ("a[-1]", {"a[1]", "a[-2]", "a[-0]"}),
        ("max(a, b)", {"min(a, b)"}),
        ("f(a, b)", {"f(b, a)"}),
        ("zip(a, b, strict=True)", {"zip(b, a, strict=True)"}),
        ("[x for x in a if x.y]", {"[x for x in a if True]"}),
        ("f(x, key=y)", {"f(x, )"}),
        ("'SELECT a FROM b WHERE c <= d AND e IS NULL'", {"'SELECT a FROM b WHERE c < d AND e IS NULL'",
            "'SELECT a FROM b WHERE c <= d OR e IS NULL'", "'SELECT a FROM b WHERE c <= d AND e IS NOT NULL'"}),
    ],
)  # fmt: skip
def test_a_defect_is_one_small_step(line: str, defects: set[str]) -> None:
    assert planted(f"found = {line}") == {f"found = {defect}" for defect in defects}


def test_a_statement_is_left_out_and_an_answer_forgotten() -> None:
    found = planted("""
        def close(self, when):
            self.closed = when
            self.tell(when)
            if when.over:
                raise TooLate(when)
            return when.day
    """)
    assert found == {"pass", "if (not (when.over)):", "return None"}


def test_what_nobody_can_observe_is_not_planted() -> None:
    found = planted('''
        @dataclass(frozen=True)
        class Cycle:
            """A cycle < another."""

            days: Literal[30] | None
            document: dict[str, str] = Field(repr=False, description="what it says")
            log.info("a", b=1)
            assert days > 3
            pairs = zip(days, strict=True)
    ''')
    assert found == set()


def test_a_defect_knows_the_lines_of_its_statement_and_the_rest_of_the_module_stays() -> None:
    source = b"def f(a):\n    # why\n    return g(\n        a < 1,\n    )\n"
    (defect,) = (one for one in defects_of("m.py", source) if one.step == "comparison")
    assert (defect.inside, defect.line, defect.statement, defect.runs_on_import) == ("f", 4, range(3, 6), False)
    assert defect.planted_in(source) == source.replace(b"<", b"<=")


def test_a_query_is_run_by_the_functions_that_use_it_or_what_is_made_of_it() -> None:
    source = b"""_PART = "SELECT a FROM b WHERE c < d"
_WHOLE = f"{_PART} ORDER BY a"
OTHER = 1


def rows():
    return ask(_WHOLE)


def none():
    return OTHER
"""
    (defect,) = (one for one in defects_of("m.py", source) if one.step == "sql")
    assert defect.runs_on_import
    assert defect.run_by == {7}
    assert at("m.py", source, "c < d", "c <= d").run_by == {7}


def test_words_that_stand_twice_name_no_place() -> None:
    with pytest.raises(ValueError, match="stands 2 times"):
        at("m.py", b"a = 1\nb = 1\n", "= 1", "= 2")


def test_the_same_seed_plants_the_same_defects_and_another_one_others() -> None:
    first, again, other = (drawn(seed, 30, "common.sla") for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 30
    assert sum(defect.step in EDGES for defect in first) == 20


@pytest.mark.parametrize("package", PACKAGES)
def test_defects_are_planted_in_each_package(package: str) -> None:
    assert drawn(1, 5, package)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.what)
def test_a_named_plant_stands_once_in_its_module(plant: Plant) -> None:
    defect = plant.defect()
    assert defect.planted_in((ROOT / plant.path).read_bytes()).decode().count(plant.after) >= 1


@pytest.mark.parametrize("entry", EQUIVALENTS, ids=lambda entry: f"{entry.path}:{entry.inside}:{entry.after}"[-100:])
def test_what_is_said_to_change_nothing_is_a_defect_of_its_module_and_has_a_reason(entry: Equivalent) -> None:
    assert entry.path in modules()
    keys = {
        (defect.path, defect.inside, defect.before, defect.after) for defect in defects_of(entry.path, (ROOT / entry.path).read_bytes())
    }
    assert entry.key in keys
    assert len(entry.why.split()) > 3
