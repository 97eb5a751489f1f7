"""The service catalogue: what can be asked for, and where it goes (D4-04); a reference document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from common.kernel.documents import Node
from common.kernel.reference import Findings, Kind
from intake.domain.triage import PRIORITIES, Priority

Route = Literal["work_order", "complaint", "desk"]
ROUTES = ("work_order", "complaint", "desk")
"""Somebody goes to the customer, a complaint is opened, or whoever answers does it all."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be asked for; `priority` is that of a request for which the triage rules have no line."""

    zh: str
    en: str
    route: Route
    priority: Priority


def _read(body: Node, findings: Findings) -> Mapping[str, Item]:
    return dict(findings.entries(body, "natures", _item))


def _item(node: Node) -> tuple[str, Item]:
    fields = ("zh", "en", "route", "priority")
    node.fields(known=fields, required=fields)
    route, priority = node.field("route").one_of(ROUTES), node.field("priority").one_of(PRIORITIES)
    return str(node.where[-1]), Item(node.field("zh").text(), node.field("en").text(), cast("Route", route), cast("Priority", priority))


CATALOGUE = Kind.collected("service-catalogue", _read, presets="intake/presets")
"""What can be asked for, by nature, from an instant on."""
