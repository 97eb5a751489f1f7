"""`aftersales resume`: partitions that stopped after too many defects in a row go on."""

from typing import Any

import typer

from ops.connection import database_address
from ops.databases import ServiceOption, chosen, each_database
from ops.terminal import DatabaseOption, JsonOption, answered, show

app = typer.Typer(add_completion=False)

_RESUME = "UPDATE consumer_progress SET halted = false WHERE halted RETURNING topic, partition"


@app.command()
def resume(service: ServiceOption = None, database: DatabaseOption = None, json: JsonOption = False) -> None:
    """Let halted partitions go on: once the defect that stopped them is mended, and within a second or two."""
    services, url = chosen(service), database_address(database)

    async def clear() -> list[dict[str, Any]]:
        rows = []
        async for name, connection in each_database(url, services):
            rows += [{"service": name, **dict(row)} for row in await connection.fetch(_RESUME)]
        return sorted(rows, key=lambda row: (row["service"], row["topic"], row["partition"]))

    rows = answered(clear, database_url=url)
    if rows or json:
        show("Go on", rows, ("service", "topic", "partition"), as_json=json)
    else:
        typer.echo("No partition is halted.")
