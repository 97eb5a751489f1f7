"""Alembic versions of the complaints database."""
