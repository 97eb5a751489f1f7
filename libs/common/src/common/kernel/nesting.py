"""How deep lists and objects may stand in each other: what is deeper is a mistake or an attack, and readers would run out of stack."""

DEEPEST = 64
"""No document of ours needs a quarter of it."""


def is_too_deep(value: object) -> bool:
    """Whether lists and objects stand in each other more than 64 levels deep, found without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        level = [one for outer in level for one in (outer.values() if isinstance(outer, dict) else outer) if isinstance(one, dict | list)]
        if not level:
            return False
    return True
