from common.runtime.alembic_env import run_migrations

run_migrations()
