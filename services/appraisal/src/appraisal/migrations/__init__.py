"""Alembic versions of the appraisal database."""
