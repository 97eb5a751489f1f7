"""When a planted defect counts as found: a test has to fail of it, and nothing else will do."""

from pathlib import Path

import pytest
from tests.mutation import trial
from tests.mutation.covered_lines import PassedTest
from tests.mutation.defects import at

MODULE = "MOST = 2\n\n\ndef fits(number):\n    return number <= MOST\n"
TEST = """import time

import module
import pytest


def test_more_do_not_fit():
    assert not module.fits(3)


def test_two_fit():
    assert module.fits(2)


@pytest.mark.parametrize("most", [module.MOST])
def test_as_many_fit_as_there_may_be(most):
    assert module.fits(most)


def test_without_an_end():
    while True:
        time.sleep(1)
"""


@pytest.mark.parametrize(
    ("test", "defect", "found"),
    [
        ("test_two_fit", ("<=", "<"), True),
        ("test_more_do_not_fit", ("<=", "<"), False),
        ("test_as_many_fit_as_there_may_be[2]", ("MOST = 2", "MOST = 3"), False),
        ("test_without_an_end", ("<=", "<"), False),
    ],
)
def test_a_defect_is_found_when_a_test_fails_of_it_and_not_when_tests_are_gone_or_never_end(
    test: str, defect: tuple[str, str], found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_LEAST_SECONDS", 2.0 if test == "test_without_an_end" else 600.0)
    (tmp_path / "module.py").write_text(MODULE, "utf-8")
    (tmp_path / "test_module.py").write_text(TEST, "utf-8")
    planted = at("module.py", MODULE.encode(), *defect)
    ran = PassedTest(f"test_module.py::{test}", 0.0, {"module.py": frozenset(range(1, 6))})
    assert trial.tried(planted, [ran], tmp_path, tmp_path / "output.txt").found is found
    assert (tmp_path / "module.py").read_text("utf-8") == MODULE


def test_half_of_the_time_is_for_tests_that_use_what_an_import_makes_and_half_for_all_that_import_it() -> None:
    using = [PassedTest(f"using {number}", 100.0, {"module.py": frozenset({0, 5})}) for number in range(4)]
    importing = [PassedTest(f"importing {number}", 70.0, {"module.py": frozenset({0})}) for number in range(4)]
    elsewhere = PassedTest("elsewhere", 0.0, {"other.py": frozenset({5})})
    constant, comparison = at("module.py", MODULE.encode(), "MOST = 2", "MOST = 3"), at("module.py", MODULE.encode(), "<=", "<")
    runs = [elsewhere, *importing, *using]
    assert [run.name for run in trial.asked(constant, runs)] == ["using 0", "importing 0", "importing 1"]
    assert [run.name for run in trial.asked(comparison, runs)] == ["using 0", "using 1", "using 2"]
