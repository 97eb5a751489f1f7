"""`aftersales grade explain`: a published grade down to the events behind each point, from appraisal's own database."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from appraisal.domain.explanation import explanation, facts_of
from appraisal.presets import find_scheme
from common.kernel.exact import decimal_text, parse_exact
from common.kernel.zones import data_version


class NotThere(Exception):
    """There is no such grade; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Found:
    """One version of a grade as it is stored, and how many there are."""

    document: dict[str, Any]
    inputs: dict[str, Any]
    versions: int


def run(words: Sequence[str]) -> int:
    """Explains one grade; 0 when it could, 1 when it is not there, the database is away or its digest is another, 2 for wrong options."""
    options = _parser().parse_args(words)
    url = options.database or os.environ.get("DATABASE_URL", "")  # noqa: TID251 - the same default as every command on a running platform
    if not url:
        sys.stderr.write("Where? Give --database postgresql://USER@HOST:PORT/postgres or set DATABASE_URL.\n")
        return 2
    try:
        found, recomputed = asyncio.run(_looked_up(url, options))
    except NotThere as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except Exception as error:
        if (text := _away(error)) is None:
            raise
        sys.stderr.write(f"The database of appraisal cannot be read: {text}\n")
        return 1
    told = explanation(found.document, found.inputs, find_scheme(found.document["scheme"]), versions=found.versions)
    if options.verify:
        told["digest_recomputed"] = recomputed
        told["digest_verified"] = recomputed == told["digest"]
    if options.json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    else:
        _print(told, options.facts)
    return 0 if told.get("digest_verified", True) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aftersales grade explain",
        description="Why a grade is what it is: parts, indicators, facts, events; and what would have made the next grade.",
    )
    parser.add_argument("employee", metavar="EMPLOYEE", help="the person's number, such as E1001")
    parser.add_argument("--cycle", required=True, help="such as 2026Q3")
    parser.add_argument("--scheme", metavar="ID@VERSION", help="by default the one from which outcomes follow")
    parser.add_argument("--version", type=int, metavar="N", help="an older version of the grade; by default the current one")
    parser.add_argument("--facts", type=int, default=5, metavar="N", help="show so many facts an indicator, missed ones first (5)")
    parser.add_argument("--verify", action="store_true", help="recompute the digest; exit 1 when it is another")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument("--database", metavar="URL", help="the PostgreSQL server; else DATABASE_URL")
    return parser


async def _looked_up(url: str, options: argparse.Namespace) -> tuple[Found, str | None]:
    from common.store.database import Database

    database = Database(url, "appraisal", pool_size=1)
    try:
        async with database.transaction() as connection:
            found = await _read(connection, options)
            return found, await _recomputed(connection, found) if options.verify else None
    finally:
        await database.close()


async def _read(connection: Any, options: argparse.Namespace) -> Found:
    from appraisal.repository import grade_versions

    rows = await grade_versions(connection, f"employee:{options.employee}", options.cycle)
    scheme = options.scheme or _default_scheme(sorted({row["document"]["scheme"] for row in rows}))
    versions = {row["version"]: row for row in rows if row["document"]["scheme"] == scheme}
    if not versions:
        others = sorted({row["document"]["scheme"] for row in rows})
        there = f"; there is one under {', '.join(others)}" if others else " under any scheme: was the cycle closed?"
        raise NotThere(f"{options.employee} has no grade in {options.cycle}{f' under {scheme}' if options.scheme else ''}{there}")
    number = max(versions) if options.version is None else options.version
    if number not in versions:
        raise NotThere(f"There is no version {number} of it, only {', '.join(map(str, sorted(versions)))}")
    return Found(_plain(versions[number]["document"]), _plain(versions[number]["inputs"]), len(versions))


def _default_scheme(graded: Sequence[str]) -> str | None:
    """The scheme that is meant when none is named (decisions 29)."""
    if len(graded) < 2:
        return graded[0] if graded else None
    paying = [reference for reference in graded if (scheme := find_scheme(reference)) is not None and scheme.outcomes]
    if len(paying) == 1:
        return paying[0]
    raise NotThere(f"There are grades under several schemes: name one with --scheme: {', '.join(graded)}")


def _plain(value: Any) -> dict[str, Any]:
    return dict(json.loads(value) if isinstance(value, str) else value)


async def _recomputed(connection: Any, found: Found) -> str | None:
    """The digest of the same grade, computed anew from its stored facts, the ratings, the org snapshot and the rules of today.

    None when it cannot be: without the scheme or the snapshot, or when these inputs have no grade any more.
    """
    from datetime import datetime

    from appraisal import repository
    from appraisal.domain.cycle import posts_of, span_under
    from appraisal.domain.grading import GradingInputs, grade_cycle
    from appraisal.domain.period import Span

    document = found.document
    scheme = find_scheme(document["scheme"])
    span = None if scheme is None else span_under(scheme, document["cycle"], datetime.fromisoformat(document["as_of"]))
    if scheme is None or not isinstance(span, Span):
        return None
    org = await repository.org_as_of(connection, span.end)
    if org is None:
        return None
    number = document["subject"].partition(":")[2]
    ratings = [one for one in await repository.ratings_of(connection, document["cycle"], document["scheme"]) if one.appraisee == number]
    again = grade_cycle(GradingInputs(scheme, org, posts_of(scheme, document["cycle"]), facts_of(found.inputs), ratings, data_version()))
    return next((one.digest for one in again.grades if one.member.employee_id == number), None)


def _away(error: BaseException) -> str | None:
    """In words, why the database cannot be read; None for an error that is a defect of ours."""
    from asyncpg import PostgresError
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, OSError | TimeoutError | PostgresError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, DBAPIError):
        return str(error.orig).partition("\n")[0]
    return None


def _print(told: Mapping[str, Any], facts: int) -> None:
    from rich.console import Console
    from rich.tree import Tree

    number = told["subject"].partition(":")[2]
    tree = Tree(
        f"[bold]{number}[/] · {told['cycle']} · {told['scheme']} · version {told['version']} of {told['versions']}\n"
        f"[bold]{told['score']} → {told['grade']}[/]  (exactly {told['score_exact']})\n{told['reason_zh']}\n{told['reason_en']}"
    )
    for section in told["sections"]:
        branch = tree.add(_section_line(section)) if section["section"] else tree
        for part in section["parts"]:
            _add_part(branch, part, facts)
    for line in _last_lines(told):
        tree.add(line)
    Console(width=None if sys.stdout.isatty() else 200).print(tree)


def _section_line(section: Mapping[str, Any]) -> str:
    return f"[bold]{section['zh']} {section['en']}[/]: weight {_percent(section['weight'])}, score {_shown(section['score'])}"


def _add_part(branch: Any, part: Mapping[str, Any], most: int) -> None:
    weighed = f"{_percent(part['weight'])} × {_shown(part['value'])} = [bold]{_shown(part['points'])} points[/]"
    if "measured" not in part:
        branch.add(f"{part['zh']} {part['en']}: mean {_shown(part['value'])}; {weighed}")
        return
    counts = f"{_shown(part['measured']['numerator'])}/{_shown(part['measured']['denominator'])}"
    leaf = branch.add(f"{part['zh']} {part['en']}: {counts}; {weighed}")
    facts = sorted(part["facts"], key=lambda fact: (parse_exact(fact["numerator"]) >= parse_exact(fact["denominator"]), fact["time"]))
    for fact in facts[:most]:
        whose = "" if len({one["subject"] for one in facts}) == 1 else f" {fact['subject'].partition(':')[2]}"
        events = ", ".join(fact["events"]) or "none told"
        leaf.add(
            f"{fact['case_id']}{whose} {fact['numerator']}/{fact['denominator']} at {fact['time']} ← {events} [dim](fact {fact['id']})[/]"
        )
    if len(facts) > most:
        leaf.add(f"… and {len(facts) - most} more; --facts {len(facts)} shows them")


def _last_lines(told: Mapping[str, Any]) -> list[str]:
    lines = []
    if (better := told["next_grade"]) is not None:
        ways = " · ".join(_way(way) for way in better["ways"]) or "no indicator alone would have made it"
        lines.append(
            f"For {better['grade']} ({better['en']}, from {better['from']}) {_shown(better['points_missing'])} are missing: {ways}"
        )
    lines += [f"{name.replace('_', ' ')}: {', '.join(told[name])}" for name in ("not_assessable", "incomplete") if told[name]]
    lines.append(f"{told['digest']} as of {told['as_of']}")
    if "digest_verified" in told:
        other = f"NOT verified: today's inputs give {told['digest_recomputed']}; a rating, org snapshot or time zone data came later"
        lines.append("digest verified: the same inputs give it again" if told["digest_verified"] else other)
    return lines


def _way(way: Mapping[str, Any]) -> str:
    from appraisal.domain.reason import name_of

    turned = None if way["of_the_missed"] is None else f"{way['of_the_missed']} of the missed made good"
    further = None if way["further"] is None else f"{way['further']} more successes"
    return f"{name_of(way['indicator'], zh=False)}: " + " or ".join(text for text in (turned, further) if text)


def _percent(text: str) -> str:
    return f"{_shown(text, 100)} %"


def _shown(text: str, times: int = 1) -> str:
    """Two decimals at most, for the eye; the exact numbers are in the JSON."""
    return decimal_text(Fraction(round(parse_exact(text) * times * 100), 100))
