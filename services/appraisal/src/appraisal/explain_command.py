"""`aftersales grade explain`: a published grade down to the events behind each point, from appraisal's own database."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from appraisal.domain.explanation import explanation
from appraisal.domain.inputs import RULES, StoredGrade, differing
from common.kernel.exact import decimal_text, parse_exact, ratio_text


class NotThere(Exception):
    """There is no such grade; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Found:
    """One version of a grade as it is stored, and how many there are."""

    stored: StoredGrade
    versions: int


def run(words: Sequence[str]) -> int:
    """Explains one grade; 0 when it could, 1 when it is not there, the database is away or its digest is another, 2 for wrong options."""
    options = _parser().parse_args(words)
    url = options.database or os.environ.get("DATABASE_URL", "")  # noqa: TID251 - the same default as every command on a running platform
    if not url:
        sys.stderr.write("Where? Give --database postgresql://USER@HOST:PORT/postgres or set DATABASE_URL.\n")
        return 2
    from common.store.database import looked_up, why_away

    try:
        found = asyncio.run(looked_up(url, "appraisal", lambda connection: _read(connection, options)))
    except NotThere as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except Exception as error:
        if (text := why_away(error)) is None:
            raise
        sys.stderr.write(f"The database of appraisal cannot be read: {text}\n")
        return 1
    told = explanation(found.stored, versions=found.versions)
    if options.verify:
        told["differing"] = differing(found.stored)
        told["digest_verified"] = not told["differing"]
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
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compute it again from its stored inputs; exit 1 when they differ",
    )
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument("--database", metavar="URL", help="the PostgreSQL server; else DATABASE_URL")
    return parser


async def _read(connection: Any, options: argparse.Namespace) -> Found:
    from appraisal.repository import contents_of, grade_versions

    rows = await grade_versions(connection, f"employee:{options.employee}", options.cycle)
    graded = {_plain(row["document"])["scheme"]: _plain(row["inputs"])["scheme"] for row in rows}
    scheme = options.scheme or _default_scheme(graded, await contents_of(connection, list(graded.values())))
    versions = {row["version"]: row for row in rows if row["document"]["scheme"] == scheme}
    if not versions:
        others = sorted({row["document"]["scheme"] for row in rows})
        there = f"; there is one under {', '.join(others)}" if others else " under any scheme: was the cycle closed?"
        raise NotThere(f"{options.employee} has no grade in {options.cycle}{f' under {scheme}' if options.scheme else ''}{there}")
    number = max(versions) if options.version is None else options.version
    if number not in versions:
        raise NotThere(f"There is no version {number} of it, only {', '.join(map(str, sorted(versions)))}")
    version = versions[number]
    return Found(await stored_grade(connection, _plain(version["document"]), _plain(version["inputs"])), len(versions))


async def stored_grade(connection: Any, document: Mapping[str, Any], inputs: Mapping[str, Any]) -> StoredGrade:
    """One version of a grade with everything that its inputs name."""
    from appraisal.fact_store import facts_of_lots
    from appraisal.repository import contents_of

    contents = await contents_of(connection, [*(inputs[part] for part in RULES), *inputs["facts"].values()])
    stored = StoredGrade(document, inputs, contents, {})
    return replace(stored, lots=await facts_of_lots(connection, stored.lot_digests))


def _default_scheme(graded: Mapping[str, str], contents: Mapping[str, Any]) -> str | None:
    """The scheme that is meant when none is named (decisions 29), of those by reference with the digest of what was graded by."""
    if len(graded) < 2:
        return next(iter(graded), None)
    schemes = {reference: StoredGrade({}, {"scheme": name}, contents, {}).scheme for reference, name in graded.items()}
    paying = [reference for reference, scheme in schemes.items() if scheme is not None and scheme.outcomes]
    if len(paying) == 1:
        return paying[0]
    raise NotThere(f"There are grades under several schemes: name one with --scheme: {', '.join(sorted(graded))}")


def _plain(value: Any) -> dict[str, Any]:
    return dict(json.loads(value) if isinstance(value, str) else value)


def _print(told: Mapping[str, Any], facts: int) -> None:
    from rich.console import Console
    from rich.tree import Tree

    number = told["subject"].partition(":")[2]
    tree = Tree(
        f"[bold]{number}[/] · {told['cycle']} · {told['scheme']} · version {told['version']} of {told['versions']}\n"
        f"[bold]{_head(told)}[/]\n{told['reason_zh']}\n{told['reason_en']}"
    )
    for section in told["sections"]:
        branch = tree.add(_section_line(section)) if section["section"] else tree
        for part in section["parts"]:
            _add_part(branch, part, facts)
    for line in _last_lines(told):
        tree.add(line)
    Console(width=None if sys.stdout.isatty() else 200).print(tree)


def _head(told: Mapping[str, Any]) -> str:
    return told["grade"] if told["score"] is None else f"{told['score']} → {told['grade']} (exactly {told['score_exact']})"


def _section_line(section: Mapping[str, Any]) -> str:
    return f"[bold]{section['zh']} {section['en']}[/]: weight {_percent(section['weight'])}, score {_shown(section['score'])}"


def _add_part(branch: Any, part: Mapping[str, Any], most: int) -> None:
    weighed = f"{_percent(part['weight'])} × {_shown(part['value'])} = [bold]{_shown(part['points'])} points[/]"
    if "measured" not in part:
        branch.add(f"{part['zh']} {part['en']}: mean {_shown(part['value'])}; {weighed}")
        return
    leaf = branch.add(f"{part['zh']} {part['en']}: {_figure(part)}; {weighed}")
    if at := part.get("attributed_at"):
        leaf.add(f"[dim]{part['direction']} is better; a case counts for {at}[/]")
    facts = sorted(part["facts"], key=lambda fact: (parse_exact(fact["numerator"]) >= parse_exact(fact["denominator"]), fact["time"]))
    for fact in facts[:most]:
        whose = "" if len({one["subject"] for one in facts}) == 1 else f" {fact['subject'].partition(':')[2]}"
        events = ", ".join(fact["events"]) or "none told"
        leaf.add(
            f"{fact['case_id']}{whose} {fact['numerator']}/{fact['denominator']} at {fact['time']} ← {events} [dim](fact {fact['id']})[/]"
        )
    if len(facts) > most:
        leaf.add(f"… and {len(facts) - most} more; --facts {len(facts)} shows them")


def _figure(part: Mapping[str, Any]) -> str:
    """What an indicator came to, in its unit; a rate over nothing is none."""
    numerator, denominator = part["measured"]["numerator"], part["measured"]["denominator"]
    if part.get("unit") == "count":
        return _shown(numerator)
    rate = f" = {_shown(ratio_text(parse_exact(numerator) / parse_exact(denominator)), 100)} %" if parse_exact(denominator) else ""
    return f"{_shown(numerator)}/{_shown(denominator)}{rate}"


def _last_lines(told: Mapping[str, Any]) -> list[str]:
    lines = []
    if (better := told["next_grade"]) is not None:
        ways = " · ".join(_way(way) for way in better["ways"]) or "no indicator alone would have made it"
        lines.append(
            f"For {better['grade']} ({better['en']}, from {better['from']}) {_shown(better['points_missing'])} are missing: {ways}"
        )
    lines += [f"{name.replace('_', ' ')}: {', '.join(told[name])}" for name in ("not_assessable", "incomplete") if told[name]]
    few = [f"{name} {_shown(one['sample'])} of at least {one['least']}" for name, one in told["too_few_cases"].items()]
    lines += [f"too few cases: {', '.join(few)}"] if few else []
    lines.append(f"{told['digest']} as of {told['as_of']}")
    if "digest_verified" in told:
        other = f"NOT verified: {'; '.join(told['differing'])} are not what was digested"
        lines.append("digest verified: its stored inputs give it again" if told["digest_verified"] else other)
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
