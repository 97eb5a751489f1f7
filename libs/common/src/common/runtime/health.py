"""Is the process alive, and is it able to do its work: two different questions with two addresses."""

import asyncio

from common.kafka.broker import Broker, consuming
from common.store import outbox
from common.store.database import Database, kind_of


async def problems(broker: Broker, database: Database) -> list[str]:
    """Everything that keeps the service from working; empty when it is ready."""
    found = consuming(broker)
    try:
        async with asyncio.timeout(2), database.transaction() as connection:
            if unsent := await outbox.unheard(connection):
                found.append(f"no replica sends what is decided: {unsent} events wait")
    except Exception as error:
        if kind_of(error) == "defect":
            raise
        found.append("the database does not answer")
    return found
