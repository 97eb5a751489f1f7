"""The kinds of reference document by which complaints decides, beside calendars and policies."""

from common.contracts.triggers import TRIGGERS

KINDS = (TRIGGERS,)
