"""Who may say what: for each type of claim the roles of which the person on whose word it comes needs one, and words for the same role."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from common.kernel.documents import Node
from common.kernel.errors import Refused
from common.kernel.reference import Findings, Kind
from common.kernel.staff import Member, Staff


@dataclass(frozen=True, slots=True)
class RoleAliases:
    """Which words mean the same role in one enterprise: 人力资源部, 人力行政中心 and 行政部 are one (X-12)."""

    roles: Mapping[str, str] = field(default_factory=dict)
    """The role by each of its other words."""

    def role(self, word: str) -> str:
        """The role that a word means; a word that nobody has explained means itself."""
        return self.roles.get(word, word)

    def holders(self, staff: Staff, role: str) -> tuple[Member, ...]:
        """Who holds a role, under whichever of its words, by number."""
        meant = self.role(role)
        return staff.holders(meant, *(word for word, same in self.roles.items() if same == meant))

    def roles_of(self, member: Member) -> frozenset[str]:
        """What a person may act as: every role, and the post."""
        return frozenset(map(self.role, (member.post, *member.roles)))


@dataclass(frozen=True, slots=True)
class Authority:
    """What one type of claim asks of the person whom its field `by` names.

    A claim that names nobody comes from a system of the enterprise, and is taken unless a person is `required`.
    """

    by: str = "by"
    roles: tuple[str, ...] = ()
    """One of these roles or posts is needed; empty where everybody may."""
    other_than: tuple[str, ...] = ()
    """Fields that name those who must not decide for themselves."""
    required: bool = False

    def judge(self, named: Callable[[str], str | None], staff: Staff, aliases: RoleAliases) -> Refused | None:
        """The rule that the claim breaks whose fields `named` gives; nothing is asked where nobody ever described an organisation."""
        person = named(self.by)
        if not staff.members or (person is None and not self.required):
            return None
        own = next((field for field in self.other_than if named(field) == person), None)
        if person is not None and own is not None:
            return Refused("not_the_one_concerned", was=own, field=self.by)
        member = None if person is None else staff.find(person)
        held = frozenset() if member is None else aliases.roles_of(member)
        if person is None or (self.roles and not held & frozenset(map(aliases.role, self.roles))):
            is_now = "nobody who is known" if member is None else member.post
            return Refused("not_authorised", was=f"{is_now}; expected: {', '.join(self.roles) or 'a person'}"[:256], field=self.by)
        return None


@dataclass(frozen=True, slots=True)
class Authorities:
    """What is asked, by type of claim; of any other claim nothing is."""

    claims: Mapping[str, Authority] = field(default_factory=dict)


def _read_authorities(body: Node, findings: Findings) -> Authorities:
    return Authorities(dict(findings.entries(body, "claims", _authority)))


def _authority(node: Node) -> tuple[str, Authority]:
    node.fields(known=("by", "roles", "other_than", "required"))
    roles, other_than = (node.field(name).texts() if name in node else () for name in ("roles", "other_than"))
    if not roles and not other_than and "required" not in node:
        raise node.fault("roles, other_than or required is expected", "nothing_asked")
    required = node.field("required", default=False).flag()
    return str(node.where[-1]), Authority(node.field("by").text("by"), roles, other_than, required)


def _read_role_aliases(body: Node, findings: Findings) -> RoleAliases:
    meant: dict[str, str] = {}
    known = body.value.get("roles") if isinstance(body.value, Mapping) else None

    def note(word: Node, role: str) -> None:
        if word.text() in meant or (isinstance(known, Mapping) and word.text() in known):
            raise word.fault("a word that means one role is expected", "twice")
        meant[word.text()] = role

    def read(node: Node) -> None:
        for word in node.items():
            findings.of(lambda word=word: note(word, str(node.where[-1])))  # type: ignore[misc]  # binds this word

    findings.entries(body, "roles", read)
    return RoleAliases(meant)


AUTHORITIES = Kind.collected(
    "authorities",
    _read_authorities,
    presets="common.kernel/shipped",
    remedies={"nothing_asked": "say which roles may, whom it must not be, or leave the claim out"},
)
"""Who may say what; of what no document says, nothing is asked."""
ROLE_ALIASES = Kind.collected(
    "role-aliases",
    _read_role_aliases,
    presets="common.kernel/shipped",
    remedies={"twice": "let each word mean one role"},
)
"""Which words of an enterprise mean the same role."""
KINDS = (AUTHORITIES, ROLE_ALIASES)
"""The kinds of document by which every service judges who may."""
