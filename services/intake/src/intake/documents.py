"""The kinds of reference document by which intake decides, beside calendars and policies."""

from common.contracts.triggers import TRIGGERS
from intake.domain.catalogue import CATALOGUE
from intake.domain.triage import TRIAGE

KINDS = (CATALOGUE, TRIAGE, TRIGGERS)
