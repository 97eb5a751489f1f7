"""A replica's name belongs to one process: two of one name would push each other out of the consumer group and both say ready.

The name is held by a session lock in the service's database, on a connection of its own. PostgreSQL frees it the moment the
process is gone, however it went.
"""

import asyncio
import contextlib

import asyncpg
import structlog

from common.store.database import Database, dsn

log = structlog.get_logger(__name__)

GHOST_SECONDS = 20
"""For this long after its connection broke a process may find its name taken by its own old session, which the server has not ended yet."""
_TAKE = "SELECT pg_try_advisory_lock(hashtext('replica'), hashtext($1))"
_DEAD_PEER = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "2"}
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class ReplicaName:
    """The name of this replica, and the connection that holds it."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database = database
        self.replica = replica
        self._connection: asyncpg.Connection | None = None

    async def take(self) -> bool:
        """Whether the name is this process's; what keeps the database from answering is raised."""
        if self._connection is None:
            self._connection = await asyncpg.connect(
                dsn(self._database.url), timeout=5, command_timeout=5, server_settings={**_DEAD_PEER, "idle_session_timeout": "0"}
            )
        try:
            taken: bool = await self._connection.fetchval(_TAKE, self.replica)
        except BaseException:
            self.release()
            raise
        if not taken:
            self.release()
        return taken

    async def hold(self) -> None:
        """Holds the name, and takes it again when its connection was lost; returns when another process has it."""
        refused = 0
        while refused < GHOST_SECONDS:
            await asyncio.sleep(1)
            try:
                refused = 0 if await self._is_held() else refused + 1
            except _AWAY as error:
                log.warning("replica_name_unsure", error=type(error).__name__)

    async def _is_held(self) -> bool:
        if self._connection is None:
            return await self.take()
        try:
            await self._connection.fetchval("SELECT 1")
        except BaseException:
            self.release()
            raise
        return True

    def release(self) -> None:
        """Lets the name go, with its connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*_AWAY):
                connection.terminate()
