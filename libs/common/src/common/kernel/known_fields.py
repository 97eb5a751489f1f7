"""A field that nobody knows is an error, so that a typing mistake shows; the error names the nearest field that there is."""

from collections.abc import Collection, Iterable

_LONGEST_NAME = 64


def unknown_field(given: Iterable[object], known: Collection[str]) -> tuple[str, str] | None:
    """The first field of `given` that is not `known`, and a sentence about it; None when all are.

    A name may be anything: at most 64 characters of it are shown.
    """
    name = next((str(one) for one in given if one not in known), None)
    if name is None:
        return None
    near = nearest(name, known)
    guess = f"; the nearest is {near}" if near else ""
    known_ones = f"; the known fields are {', '.join(known)}" if known else ""
    return name[:_LONGEST_NAME], f"there is no such field{guess}{known_ones}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is written most like this one; empty when none is."""
    from difflib import get_close_matches  # for mistakes only: whoever makes none starts without it

    return next(iter(get_close_matches(name[:_LONGEST_NAME].lower(), list(known), 1)), "")
