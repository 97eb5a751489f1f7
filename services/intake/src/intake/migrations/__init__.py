"""Alembic versions of the intake database."""
