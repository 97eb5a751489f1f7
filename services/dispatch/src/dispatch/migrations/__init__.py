"""Alembic versions of the dispatch database."""
