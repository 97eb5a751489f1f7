"""Pages that several people write at once say each thing once."""

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["CHANGELOG.md", "docs/adr/README.md", "docs/glossary.md"])
def test_no_entry_of_a_list_stands_twice(page: str) -> None:
    lines = (ROOT / page).read_text("utf-8").splitlines()
    entries = [line.split("**")[1] if line.startswith("- **") else line for line in lines if line.startswith("- ")]
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    headings = {"word"}
    twice = [entry for entry, times in Counter([*entries, *rows]).items() if times > 1 and entry not in headings]
    assert twice == []
