"""Each table has one owner: SQL about it stands in one module, and whoever needs the table calls that."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from common.contracts.topics import SERVICES
from common.store.schema import CHASSIS_1

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("libs", "services")
    for path in sorted((ROOT / folder).glob("*/src/**/*.py"))
    if "migrations" not in path.parts and path.name != "schema.py"
]
STORE = "common.store"
OWNERS = {
    "alembic_version": f"{STORE}.migrations",
    "clock_days_changed": f"{STORE}.clocks",
    "clock_events": f"{STORE}.clocks",
    "clock_outcomes": f"{STORE}.clock_outcomes",
    "clock_rounds": f"{STORE}.clocks",
    "clocks": f"{STORE}.clocks",
    "consumer_progress": f"{STORE}.positions",
    "dead_letters": f"{STORE}.dead_letters",
    "inbox": f"{STORE}.inbox",
    "log_holes": f"{STORE}.holes",
    "organisation_changes": f"{STORE}.parties",
    "outbox": f"{STORE}.outbox",
    "parked": f"{STORE}.parked",
    "parked_keys": f"{STORE}.parked",
    "relay_lease": f"{STORE}.lease",
    "documents": f"{STORE}.documents",
    "sla_months": f"{STORE}.sla_months",
    "timers": f"{STORE}.timers",
    "unsent": f"{STORE}.outbox",
    "waiting": f"{STORE}.waiting",
    "cycles": "appraisal.repository",
    "close_inputs": "appraisal.close_store",
    "fact_lots": "appraisal.fact_store",
    "grade_inputs": "appraisal.repository",
    "grades": "appraisal.repository",
    "kpi_facts": "appraisal.fact_store",
    "ratings": "appraisal.repository",
}
"""The tables about which somebody writes SQL; those of aggregates are read and written by `Aggregates` alone."""

_DECLARED = re.compile(r"CREATE (?:TEMP )?(?:TABLE|VIEW)(?: IF NOT EXISTS)? (\w+)")
_NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|USING|TABLE)\b(?:\s+ONLY)?\s+((?:\w+(?:\s+(?:AS\s+)?[a-z]\w*)?)(?:\s*,\s*\w+)*)")


def declared() -> set[str]:
    """Every table and view that a migration makes, those of aggregates included."""
    aggregates = {name for service in SERVICES for name in import_module(f"{service}.repository").UnitOfWork.tables()}
    texts = [CHASSIS_1, *(path.read_text("utf-8") for path in ROOT.glob("services/*/src/*/migrations/versions/*.py"))]
    return {name for text in texts for name in _DECLARED.findall(text)} | aggregates | {"alembic_version"}


def tables_in(source: str) -> Iterator[str]:
    """The tables that the SQL in a module's strings names, and those that it hands to SQLAlchemy's `table` by their name."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for found in _NAMED.finditer(node.value):
                yield from (part.split()[0] for part in found[1].split(","))
            if "to_regclass" in node.value:
                yield from re.findall(r"to_regclass\('(\w+)'\)", node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "table" and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def speakers(sources: dict[str, str]) -> dict[str, set[str]]:
    """Table → the modules with SQL about it."""
    known, found = declared(), defaultdict(set)
    for module, source in sources.items():
        for table in tables_in(source):
            if table in known:
                found[table].add(module)
    return found


def module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[parts.index("src") + 1 :])


MODULES = {module_of(path): path.read_text("utf-8") for path in SOURCES}


def test_sql_about_a_table_stands_in_the_module_that_owns_it() -> None:
    assert speakers(MODULES) == {table: {owner} for table, owner in OWNERS.items()}


def test_a_statement_about_a_table_outside_its_owner_is_found() -> None:
    planted = {
        "ops.one": 'QUERY = "SELECT 1 FROM unsent, relay_lease"',
        "ops.two": 'X = f"""DELETE FROM {name}"""\nY = "SELECT FROM a JOIN timers t USING (id)"',
        "ops.three": 'QUERY = text("UPDATE parked_keys SET redrive = true")',
        "ops.four": 'ROWS = table("clocks", column("id"))',
        "ops.five": "WHERE = \"SELECT to_regclass('consumer_progress')\"",
    }
    assert speakers(planted) == {
        "unsent": {"ops.one"},
        "relay_lease": {"ops.one"},
        "timers": {"ops.two"},
        "parked_keys": {"ops.three"},
        "clocks": {"ops.four"},
        "consumer_progress": {"ops.five"},
    }


def test_every_table_of_the_chassis_has_an_owner() -> None:
    assert set(_DECLARED.findall(CHASSIS_1)) <= set(OWNERS)
