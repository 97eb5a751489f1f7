"""The claim of CONTRIBUTING.md is added to a copy of the tree exactly as it stands there, made complete by `generate`, and works."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstack import Stack

ROOT = Path(__file__).parents[2]
COPIED = ("libs", "services", "tests", "docs", "tools", "pyproject.toml", ".importlinter", "CONTRIBUTING.md", "CHANGELOG.md", "README.md")


@dataclass(frozen=True, slots=True)
class Piece:
    """What CONTRIBUTING.md says about one file: lines to be found as they stand, others to be added between them or taken out."""

    file: str
    hunks: tuple[tuple[str, ...], ...]

    @property
    def added(self) -> list[str]:
        """The lines that somebody writes by hand."""
        return [line[1:] for hunk in self.hunks for line in hunk if line.startswith("+")]

    def apply(self, tree: Path) -> None:
        """Changes the file; AssertionError where what should stand there does not, or stands there twice."""
        path = tree / self.file
        text = path.read_text("utf-8") if path.exists() else ""
        for hunk in self.hunks:
            before, after = ("".join(f"{line[1:]}\n" for line in hunk if line[:1] in kept) for kept in ((" ", "-", ""), (" ", "+", "")))
            assert text.count(before) == 1 if before else not text, f"{self.file} does not have once:\n{before}"
            text = text.replace(before, after) if before else after
        path.write_text(text, "utf-8")


def pieces() -> Iterator[Piece]:
    section = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## How to add a claim\n")[2].partition("\n## ")[0]
    for block in re.findall(r"```diff\n--- (.*?)```", section, re.DOTALL):
        file, *lines = block.splitlines()
        yield Piece(file, tuple(tuple(hunk.splitlines()) for hunk in "\n".join(lines).split("\n@@\n")))


PIECES = list(pieces())


def test_a_claim_with_its_decision_refusal_and_clock_takes_75_lines_in_8_files_at_most_apart_from_tests() -> None:
    by_hand = [piece for piece in PIECES if not piece.file.startswith("tests/")]
    lines = sum(len(piece.added) for piece in by_hand)
    print(f"a claim: {lines} lines by hand in {len(by_hand)} files")  # noqa: T201 - the figure is what CONTRIBUTING.md promises
    assert 0 < lines <= 75
    assert 0 < len({piece.file for piece in by_hand}) == len(by_hand) <= 8


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources to which the claim was added, with everything made that is made."""
    copy = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(source, copy / name)
    for piece in PIECES:
        piece.apply(copy)
    run(copy, "-c", "import sys; from ops.main import main; sys.exit(main(['generate']))")
    return copy


def run(tree: Path, *arguments: str, **environment: str) -> str:
    """The output of a Python that imports our packages from the tree; AssertionError with it when it fails."""
    folders = [str(path) for path in (*sorted(tree.glob("libs/*/src")), *sorted(tree.glob("services/*/src")))]
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), **environment}  # noqa: TID251 - a child gets what its parent has
    done = subprocess.run([sys.executable, *arguments], cwd=tree, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_everything_else_is_made_from_them(tree: Path) -> None:
    made = {path.relative_to(tree) for path in tree.rglob("*") if path.is_file() and not (ROOT / path.relative_to(tree)).exists()}
    schemas = {str(path) for path in made if "schemas" in path.parts}
    assert {Path(name).stem for name in schemas} == {"complaint.follow_up_made", "complaint.followed_up"}
    assert "| `complaint.follow_up_made` |" in (tree / "services/complaints/README.md").read_text("utf-8")
    assert "| `followed_up` | always | the end of day 10 |" in (tree / "services/complaints/README.md").read_text("utf-8")
    assert "## complaint.followed_up" in (tree / "docs/events/complaints.md").read_text("utf-8")


@pytest.mark.real
def test_the_claim_is_decided_refused_the_second_time_and_stops_its_clock(tree: Path, stack: Stack) -> None:
    servers = {"KAFKA_BOOTSTRAP_SERVERS": stack.kafka, "DATABASE_URL": stack.database_url}
    mine = ["tests/complaints/test_follow_up.py", "tests/common/test_processes.py", "tests/architecture/test_names.py"]
    told = run(tree, "-m", "pytest", "-q", "-k", "not order_of_arrival", *mine, **servers)
    assert re.search(r"\d+ passed", told), told
