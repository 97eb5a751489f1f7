"""The databases of the services, one after another, for commands that look at one of them or at all."""

from collections.abc import AsyncIterator
from typing import Annotated

import asyncpg
import typer

from common.contracts.topics import SERVICES
from ops.connection import database

ServiceOption = Annotated[str | None, typer.Option("--service", metavar="NAME", help=f"Only this one of {', '.join(SERVICES)}.")]


def chosen(service: str | None) -> tuple[str, ...]:
    """The services that a command is about; ends it when there is none of that name."""
    if service is None:
        return SERVICES
    if service not in SERVICES:
        typer.echo(f"There is no service {service!r}; there are {', '.join(SERVICES)}.", err=True)
        raise typer.Exit(2)
    return (service,)


async def each_database(server_url: str, services: tuple[str, ...]) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """Each service with a connection to its database. Of several, those that have none or no tables yet are told and passed over."""
    for service in services:
        try:
            async with database(server_url, service) as connection:
                if len(services) > 1 and not await connection.fetchval("SELECT to_regclass('consumer_progress') IS NOT NULL"):
                    typer.echo(f"{service} has no tables yet.", err=True)
                    continue
                yield service, connection
        except asyncpg.InvalidCatalogNameError:
            if len(services) == 1:
                raise
            typer.echo(f"{service} has no database yet.", err=True)
