"""The databases of the services, one after another, for commands that look at one of them or at all."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

import asyncpg
import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from common.contracts.topics import SERVICES
from common.store import positions
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


async def each_database(
    server_url: str, services: tuple[str, ...], *, snapshot: bool = False
) -> AsyncIterator[tuple[str, AsyncConnection]]:
    """Each service with a connection to its database, which sees one `snapshot` if it is to.

    Of several services, those that have no database or no tables yet are told and passed over.
    """
    for service in services:
        try:
            async with database(server_url, service, snapshot=snapshot) as connection:
                if len(services) > 1 and not await positions.is_there(connection):
                    typer.echo(f"{service} has no tables yet.", err=True)
                    continue
                yield service, connection
        except asyncpg.InvalidCatalogNameError:
            if len(services) == 1:
                raise
            typer.echo(f"{service} has no database yet.", err=True)


async def listed(
    server_url: str, services: tuple[str, ...], read: Callable[[str, AsyncConnection], Awaitable[Sequence[Mapping[str, Any]]]]
) -> list[dict[str, Any]]:
    """The rows that `read` finds in each database, each with its `service` before it."""
    rows = []
    async for name, connection in each_database(server_url, services):
        rows += [{"service": name, **row} for row in await read(name, connection)]
    return rows
