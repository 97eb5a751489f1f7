"""`aftersales kpi report`: the figures behind the grades, told apart by what a fact can be asked by."""

from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any

import typer

from common.kernel.exact import parse_exact, ratio_text
from ops import contributed
from ops.connection import database as open_database
from ops.connection import database_address
from ops.terminal import DatabaseOption, JsonOption, answered, show, stop

app = typer.Typer(no_args_is_help=True, add_completion=False)


class By(StrEnum):
    """What the rows of an indicator are told apart by: each dimension of a fact."""

    PRODUCT = "product"
    REGION = "region"
    PROBLEM_TYPE = "problem_type"
    NATURE = "nature"
    PRIORITY = "priority"
    CHANNEL = "channel"
    CUSTOMER_CLASS = "customer_class"
    OUTLET = "outlet"
    TEAM = "team"


_COLUMNS = ("numerator", "denominator", "unit", "rate", "percent", "direction", "cases")


@app.callback()
def kpi() -> None:
    """What was measured for the indicators."""


@app.command()
def report(
    cycle: Annotated[str, typer.Option("--cycle", metavar="CYCLE", help="Such as 2026Q3, 2026-07 or 2026.")],
    by: Annotated[By, typer.Option(help="What the rows of an indicator are told apart by.")] = By.REGION,
    indicator: Annotated[str | None, typer.Option(metavar="ID", help="Only this indicator, such as in_time_solution.")] = None,
    time_zone: Annotated[str, typer.Option(help="Whose midnights the period begins and ends at.")] = "Asia/Shanghai",
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show by indicator what was measured in a period, by the instant for which each fact counts, in the newest revision of each.

    `rate` is exact, and what is counted (unit `count`) has none; `direction` is the one that is better; `cases` are different ones. A row
    without a value adds up the facts that do not say. Facts about teams or departments stand in rows of their own: they may be about the
    same cases as those about persons.
    """
    url = database_address(database)

    async def read() -> list[dict[str, Any]]:
        rows = []
        for service, figures in contributed.functions(contributed.FIGURES).items():
            async with open_database(url, service) as connection:
                rows += await figures(connection, cycle, by.value, time_zone)
        return [_row(by, row) for row in rows if indicator in (None, row["indicator"])]

    try:
        rows = answered(read, database_url=url)
    except (ValueError, KeyError) as problem:
        stop(f"--cycle {cycle}, --time-zone {time_zone}: {problem}.", 2)
    show(f"{cycle} by {by.value}, {time_zone}", rows, ("indicator", "about", by.value, *_COLUMNS), as_json=json)


def _row(by: By, row: dict[str, Any]) -> dict[str, Any]:
    numerator, denominator = parse_exact(row["numerator"]), parse_exact(row["denominator"])
    rate = None if denominator == 0 or row["unit"] == "count" else Fraction(numerator, denominator)
    percent = None if rate is None else "{}.{}".format(*divmod(int(rate * 1000), 10))  # cut, not rounded: 99.96 % is not 100 %
    return {
        "indicator": row["indicator"],
        "about": row["about"],
        by.value: row["value"],
        "numerator": ratio_text(numerator),
        "denominator": ratio_text(denominator),
        "unit": row["unit"],
        "rate": None if rate is None else ratio_text(rate),
        "percent": percent,
        "direction": row["direction"],
        "cases": row["cases"],
    }
