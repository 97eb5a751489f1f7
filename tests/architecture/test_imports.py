"""Each rule about imports is broken once, in a copy of the tree, and must be named by the tool that guards it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
FOLDERS = (*sorted(ROOT.glob("services/*/src")), *sorted(ROOT.glob("libs/*/src")))

COMPLAINTS = "services/complaints/src/complaints"
COMMON = "libs/common/src/common"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all sources that import-linter reads, and of its rules."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in FOLDERS:
        shutil.copytree(folder, copy / folder.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__", "*.json", "*.yaml"))
    shutil.copy(ROOT / ".importlinter", copy)
    (copy / "tools").mkdir()
    shutil.copy(ROOT / "tools/only_contract.py", copy / "tools")
    return copy


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(tree / folder.relative_to(ROOT)) for folder in FOLDERS)
    command = [str(BIN / "lint-imports"), "--no-logo", "--no-cache"]
    environment = {"PYTHONPATH": path, "PATH": os.defpath, "COLUMNS": "1000"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def broken(tree: Path) -> set[str]:
    """The ids of the contracts that import-linter says are broken."""
    run = lint(tree)
    assert "Contracts: " in run.stdout, run.stdout + run.stderr
    names = {name for name in contract_names() if f"{name} BROKEN" in run.stdout}
    assert f"{len(names)} broken." in run.stdout, run.stdout
    assert (run.returncode == 0) == (not names)
    return {contract_names()[name] for name in names}


def contract_names() -> dict[str, str]:
    """Sentence → id of every contract in the rules."""
    rules = ConfigParser(interpolation=None)
    rules.read(ROOT / ".importlinter", "utf-8")
    return {rules[section]["name"]: section.rpartition(":")[2] for section in rules.sections() if ":contract:" in section}


@pytest.fixture
def planted(tree: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """The tree with one more line at the end of one file, which need not have been there."""
    file, line = request.param
    path = tree / file
    before = path.read_text("utf-8") if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before or ''}\n{line}\n", "utf-8")
    yield
    if before is None:
        path.unlink()
    else:
        path.write_text(before, "utf-8")


def test_the_sources_as_they_are_keep_every_contract(tree: Path) -> None:
    assert broken(tree) == set()


PLANTED = [
    ("services", f"{COMPLAINTS}/use_cases.py", "import intake", {"house", "use_cases"}),
    ("services", f"{COMPLAINTS}/app.py", "import dispatch", {"house"}),
    ("services", "services/dispatch/src/dispatch/handlers.py", "from complaints.domain.complaint import Complaint", {"house"}),
    ("house", f"{COMPLAINTS}/app.py", "import devstack", set()),
    ("house", f"{COMPLAINTS}/app.py", "import ops.main", set()),
    ("house", f"{COMMON}/runtime/back_door.py", "from complaints import app", set()),
    ("shell", "libs/ops/src/ops/main.py", "from appraisal.domain.grade import *", set()),
    ("rooms", f"{COMPLAINTS}/utils.py", "", set()),
    ("rooms", f"{COMPLAINTS}/tables.py", "from complaints import repository", set()),
    ("rooms", f"{COMPLAINTS}/repository.py", "from complaints import use_cases", set()),
    ("rooms", f"{COMPLAINTS}/handlers.py", "from complaints import app", set()),
    ("rooms", f"{COMPLAINTS}/commands.py", "from complaints import app", set()),
    ("rooms", f"{COMPLAINTS}/settings.py", "from complaints import tables", set()),
    ("rooms", f"{COMPLAINTS}/metrics.py", "from complaints.domain import complaint", set()),
    ("rooms", f"{COMPLAINTS}/domain/complaint.py", "from complaints import tables", {"domain"}),
    ("common", f"{COMMON}/helpers.py", "", set()),
    ("common", f"{COMMON}/contracts/topics.py", "from common.store import outbox", {"contracts"}),
    ("common", f"{COMMON}/sla/policy.py", "from common.store import outbox", {"sla"}),
    ("common", f"{COMMON}/kafka/topic_ids.py", "from common.sla import policy", set()),
    ("common", f"{COMMON}/store/outbox.py", "from common.runtime import jobs", set()),
    ("sla", f"{COMMON}/sla/policy.py", "import asyncio", set()),
    ("common", f"{COMMON}/kernel/ids.py", "from common.contracts import fields", {"kernel"}),
    ("kernel", f"{COMMON}/kernel/ids.py", "import pydantic", set()),
    ("kernel", f"{COMMON}/kernel/clocks.py", "import logging", set()),
    ("kernel", f"{COMMON}/kernel/clocks.py", "def f() -> None:\n    import yaml", set()),
    ("domain", f"{COMPLAINTS}/domain/complaint.py", "import asyncio", set()),
    ("domain", f"{COMPLAINTS}/domain/complaint.py", "import structlog", set()),
    ("domain", f"{COMPLAINTS}/domain/complaint.py", "from sqlmodel import SQLModel", {"sql"}),
    ("domain", f"{COMPLAINTS}/domain/complaint.py", "from common.contracts.complaints import ComplaintVerified", set()),
    ("domain", f"{COMPLAINTS}/domain/complaint.py", "import a_package_that_nobody_has_heard_of", set()),
    ("contracts", f"{COMMON}/contracts/claims/intake.py", "import sqlmodel", set()),
    ("contracts", f"{COMMON}/contracts/envelope.py", "import asyncio", set()),
    ("use_cases", f"{COMPLAINTS}/use_cases.py", "from common.runtime.unit_of_work import UnitOfWork", set()),
    ("use_cases", f"{COMPLAINTS}/use_cases.py", "import structlog", set()),
    ("use_cases", f"{COMPLAINTS}/use_cases.py", "from sqlalchemy import select", {"sql"}),
    ("kafka", f"{COMPLAINTS}/repository.py", "import aiokafka", set()),
    ("kafka", f"{COMPLAINTS}/handlers.py", "from faststream.kafka import KafkaBroker", set()),
    ("sql", f"{COMPLAINTS}/handlers.py", "from sqlalchemy import text", set()),
    ("sql", f"{COMPLAINTS}/jobs.py", "import asyncpg", set()),
]


@pytest.mark.parametrize(("planted", "expected"), [((file, line), {id, *more}) for id, file, line, more in PLANTED], indirect=["planted"])
@pytest.mark.usefixtures("planted")
def test_a_planted_import_breaks_the_contract_that_forbids_it(tree: Path, expected: set[str]) -> None:
    assert broken(tree) == expected


def test_every_contract_is_broken_by_a_planted_import() -> None:
    assert {id for id, *_ in PLANTED} == set(contract_names().values())


def test_an_exception_that_nothing_needs_any_more_fails(tree: Path) -> None:
    rules = tree / ".importlinter"
    before = rules.read_text("utf-8")
    rules.write_text(
        before.replace("appraisal.ingest -> faststream", "appraisal.ingest -> faststream\n    intake.app -> aiokafka"), "utf-8"
    )
    try:
        run = lint(tree)
    finally:
        rules.write_text(before, "utf-8")
    assert run.returncode != 0
    assert "intake.app -> aiokafka" in run.stdout + run.stderr


BANNED = [
    ("from datetime import datetime\n\nAT = datetime.now()", "common.kernel.wall_clock.now()"),
    ("import datetime as d\n\nAT = d.datetime.utcnow()", "common.kernel.wall_clock.now()"),
    ("import datetime\n\nDAY = datetime.date.today()", "derive it from an instant and the calendar's zone"),
    ("import os\n\nURL = os.environ['DATABASE_URL']", "settings.py"),
    ("from os import getenv\n\nURL = getenv('DATABASE_URL')", "settings.py"),
    ("from uuid import uuid4\n\nID = uuid4()", "common.kernel.ids.derived_id()"),
    ("import uuid\n\nID = uuid.uuid1()", "common.kernel.ids.derived_id()"),
]


@pytest.mark.parametrize(("code", "replacement"), BANNED)
def test_a_banned_call_is_refused_and_its_replacement_named(code: str, replacement: str) -> None:
    command = [str(BIN / "ruff"), "check", "--select", "TID251", "--output-format", "concise", "--no-cache"]
    command += ["--stdin-filename", "services/complaints/src/complaints/use_cases.py", "-"]
    run = subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "TID251" in run.stdout
    assert replacement in run.stdout


def test_every_line_that_escapes_a_rule_says_why() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in (*FOLDERS, ROOT / "tests", ROOT / "tools", ROOT / "benchmarks")
        for path in sorted(folder.rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (escape := re.search(r"#\s*(noqa|type: ignore|pragma: no cover)\b(.*)$", line)) and not gives_a_reason(escape[2])
    ]
    assert silent == []


def gives_a_reason(after: str) -> bool:
    """Whether something is said beside the rule's own name: `noqa: S603 - why`, `type: ignore[misc]  # why`."""
    return re.search(r"(\]\s+#|\s-)\s+\w+\W+\w+", after) is not None
