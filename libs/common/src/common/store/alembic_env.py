"""What each service's `migrations/env.py` does, in one place."""

from alembic import context


def run_migrations() -> None:
    """Runs the versions on the connection that `migrations.upgrade` has opened, in its transaction."""
    context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
    context.run_migrations()
