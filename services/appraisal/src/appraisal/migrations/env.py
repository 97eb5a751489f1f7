from common.store.alembic_env import run_migrations

run_migrations()
