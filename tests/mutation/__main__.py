"""`python -m tests.mutation`: plants defects at random, one at a time, in a copy of the tree, and counts those that no test finds.

`MUTANTS=200` how many, `SEED=1` which, `ONLY=common.kernel` in which package, `TESTS="tests/common/test_zones.py …"` asks these files
alone, `NAMED="a negative"` plants the named ones of such words alone, `NAMED=all` all of them. The exit is 1 when less than 95 % are
found, or one of the named plants is not.
"""
# ruff: noqa: T201 - it prints what it counts

import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path

from tests.mutation.changes_nothing import EQUIVALENTS
from tests.mutation.covered_lines import CACHE, PassedTest, runs_of
from tests.mutation.defects import Defect, defects_of, is_python
from tests.mutation.named_plants import PLANTS
from tests.mutation.tree import ROOT, copied
from tests.mutation.trial import Verdict, tried

from devstack import stack

WANTED = 0.95
EDGES = {"comparison", "constant", "and or", "not", "sign", "condition", "filter", "sql", "function", "operator"}
SCOPES = [f"libs/common/src/common/{package}" for package in ("kernel", "sla", "store", "runtime", "contracts")]
SCOPES += [f"services/*/src/*/{name}" for name in ("domain", "use_cases.py", "repository.py", "fact_store.py", "ingest.py", "jobs.py")]
PASSED_BY = {"alembic_env.py", "migrations.py", "service.py", "chassis.py", "health.py", "apply_topics.py", "logging.py"}
"""What only a database that is made, or a process that starts, runs and ends, can show: the rest of `make proof` starts them."""
PACKAGES = [f"common.{name}" for name in ("kernel", "sla", "store", "runtime", "contracts")]
PACKAGES += ["intake", "dispatch", "complaints", "appraisal"]
TESTS = [f"tests/{folder}" for folder in ("common", "contracts", "store", "intake", "dispatch", "complaints", "appraisal", "net")]
TESTS += ["tests/architecture/test_names.py"]
TESTS += [f"tests/ops/test_{name}.py" for name in ("clock_explain", "operating", "rules_by_command", "sla_report")]
TESTS += [f"tests/ops/test_{name}.py" for name in ("diagnosis", "what_if", "compensations")]
TESTS += [f"tests/faults/test_{name}.py" for name in ("chassis_rules", "parking", "waiting", "unreadable_rows", "stranded", "relay")]
TESTS += [f"tests/faults/test_{name}.py" for name in ("holes", "wake_ups", "outage_in_a_history")]
NEEDS_HOURS = {"tests/net/test_outputs.py"}


def modules() -> list[str]:
    """The modules in which defects are planted."""
    found: set[Path] = set()
    for scope in SCOPES:
        for place in ROOT.glob(scope):
            found |= {place} if place.is_file() else set(place.rglob("*.py"))
    return sorted(path.relative_to(ROOT).as_posix() for path in found if path.name not in PASSED_BY)


def package_of(path: str) -> str:
    """`common.kernel`, or the service."""
    parts = path.split("/")
    return f"common.{parts[4]}" if parts[0] == "libs" else parts[1]


def tests() -> list[str]:
    """The files of tests that are asked; what kills processes and what takes long is left to the rest of `make proof`."""
    found: set[Path] = set()
    for place in TESTS:
        path = ROOT / place
        found |= {path} if path.suffix else set(path.rglob("test_*.py"))
    return sorted(name for path in found if path.exists() and (name := path.relative_to(ROOT).as_posix()) not in NEEDS_HOURS)


def drawn(seed: int, count: int, only: str) -> list[Defect]:
    """As many defects, the same for the same seed and the same text: two thirds at edges, one third of the other steps."""
    draw = random.Random(seed)
    found = [defect for path in modules() if package_of(path).startswith(only) for defect in defects_of(path, (ROOT / path).read_bytes())]
    nothing = {one.key for one in EQUIVALENTS}
    real = [defect for defect in found if (defect.path, defect.inside, defect.before, defect.after) not in nothing]
    shuffled = draw.sample(real, len(real))
    edges = filter(_is_python, (one for one in shuffled if one.step in EDGES))
    others = filter(_is_python, (one for one in shuffled if one.step not in EDGES))
    return [*islice(edges, count - count // 3), *islice(others, count // 3)]


def _is_python(defect: Defect) -> bool:
    return is_python(defect.planted_in((ROOT / defect.path).read_bytes()))


@contextmanager
def servers() -> Iterator[None]:
    """A Kafka and a PostgreSQL for all children: each test still makes its own database."""
    with stack() as running:
        os.environ |= {"KAFKA_BOOTSTRAP_SERVERS": running.kafka, "DATABASE_URL": running.database_url}  # noqa: TID251 - for the children
        yield


def preload() -> None:
    """Imports what every child would import again, nothing of ours among it."""
    for name in ("aiokafka", "asyncpg", "alembic", "faststream.confluent", "hypothesis", "pydantic", "sqlmodel", "sqlalchemy.ext.asyncio"):
        try:
            __import__(name)
        except ImportError:
            continue


def judged(defects: list[Defect], runs: list[PassedTest], tree: Path) -> list[Verdict]:
    """Each defect in turn; prints each as it is judged."""
    verdicts = []
    for number, defect in enumerate(defects, 1):
        began = time.monotonic()
        verdict = tried(defect, runs, tree, tree.parent / "output.txt")
        verdicts.append(verdict)
        word = "found" if verdict.found else "NOT FOUND"
        print(
            f"{number:4} {word} {defect.path}:{defect.line} {defect.inside} ({defect.step}): {verdict.by}, {time.monotonic() - began:.1f} s"
        )
        if not verdict.found:
            print(defect.diff((tree / defect.path).read_bytes()))
        sys.stdout.flush()
    return verdicts


def report(verdicts: list[Verdict]) -> float:
    """Prints how many of each package were found; returns the share of all."""
    planted = Counter(package_of(one.defect.path) for one in verdicts)
    found = Counter(package_of(one.defect.path) for one in verdicts if one.found)
    for package, count in sorted(planted.items()):
        print(f"{package:18} {found[package]:4} of {count:4} found, {100 * found[package] / count:.0f} %")
    share = found.total() / max(1, planted.total())
    print(f"{'all':18} {found.total():4} of {planted.total():4} found, {100 * share:.1f} %")
    return share


def main() -> int:
    """The command line; what it is asked stands in environment variables, as in the Makefile."""
    asked = {name: os.environ.get(name, "") for name in ("MUTANTS", "SEED", "ONLY", "TESTS", "NAMED")}  # noqa: TID251 - switches of a test run
    began, only, words = time.monotonic(), asked["ONLY"], asked["NAMED"].removeprefix("all")
    preload()
    asking = asked["TESTS"].split() or tests()
    needs_servers = any("mark.real" in (ROOT / test).read_text("utf-8") for test in asking)
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder, servers() if needs_servers else nullcontext():
        tree = copied(Path(folder) / "tree")
        known = [plant.defect() for plant in PLANTS if package_of(plant.path).startswith(only) and words in plant.what]
        new = [] if asked["NAMED"] else drawn(int(asked["SEED"] or 1), int(asked["MUTANTS"] or 200), only)
        print(f"which test runs which line (kept in {CACHE.relative_to(ROOT)}):", flush=True)
        runs = runs_of(tree, asking)
        sys.dont_write_bytecode = True
        print(f"{len(runs)} tests; seed {asked['SEED'] or 1}", flush=True)
        named = judged(known, runs, tree)
        verdicts = judged(new, runs, tree)
    share = report(verdicts) if verdicts else 1.0
    lost = [one for one in named if not one.found]
    print(f"named plants: {len(named) - len(lost)} of {len(named)} found; {(time.monotonic() - began) / 60:.0f} minutes")
    return int(share < WANTED or bool(lost))


if __name__ == "__main__":
    sys.exit(main())
