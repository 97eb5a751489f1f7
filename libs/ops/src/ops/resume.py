"""`aftersales resume`: partitions that stopped after too many defects in a row go on."""

from typing import Any

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from common.store import positions
from ops.connection import database_address
from ops.databases import ServiceOption, chosen, listed
from ops.terminal import DatabaseOption, JsonOption, answered, show

app = typer.Typer(add_completion=False)


@app.command()
def resume(service: ServiceOption = None, database: DatabaseOption = None, json: JsonOption = False) -> None:
    """Let halted partitions go on: once the defect that stopped them is mended, and within a second or two."""
    services, url = chosen(service), database_address(database)
    rows = answered(lambda: listed(url, services, _resumed), database_url=url)
    if rows or json:
        show("Go on", rows, ("service", "topic", "partition"), as_json=json)
    else:
        typer.echo("No partition is halted.")


async def _resumed(_: str, connection: AsyncConnection) -> list[dict[str, Any]]:
    return [{"topic": topic, "partition": partition} for topic, partition in await positions.resume(connection)]
