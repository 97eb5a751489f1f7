"""YAML as people hand it in: what is wrong is an error with its line, and no file costs more than its length."""

from pathlib import Path

import pytest

from appraisal.presets import read_document
from common.contracts.yaml_files import YamlFile, read_yaml
from common.kernel.faults import Fault, Where
from ops.policy_lint import lint

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
DEEP_BY_ALIAS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 90))
REFUSED: list[tuple[bytes, int, str]] = [
    ("名: 张".encode("gb18030"), 1, "not text in UTF-8"),
    (b"a: 1\nb: \xff", 2, "not text in UTF-8"),
    ("a: 1".encode("utf-16"), 1, "not text in UTF-8"),
    (b"a: 1\nb: \x00", 1, "no YAML"),
    (b"[" * 3000 + b"]" * 3000, 1, "nest"),
    ("\n".join(" " * n + "a:" for n in range(900)).encode(), 65, "deeper than 64 levels"),
    (DEEP_BY_ALIAS.encode(), 64, "deeper than 64 levels"),
    (BOMB.encode(), 6, "more than 200000 values"),
    (b"a: 1\nstages: &s {a: *s}", 2, "stands for nothing before it"),
    (b"a: *b", 1, "stands for nothing before it"),
    (b"a: *" + b"x" * 65, 1, rf"the alias \*{'x' * 64} stands"),
    (b"[" * 65 + b"]" * 65, 1, "deeper than 64 levels"),
    (b"\n\n\xff", 3, "not text in UTF-8"),
    (b"a: 1\nb: !!python/object:os.system x", 2, "a tag"),
    (b"a: !!binary zzz", 1, "a tag"),
    (b"a: 1\nb: " + b"9" * 5000, 2, "cannot be read"),
    (b"? [a]\n: 1", 1, "unhashable"),
    (b"a: 1\n---\nb: 2", 2, "another document"),
    (b"a: [", 2, "did not find"),
    (b"#" * 1024 * 1024 + b"\n", 1, "bytes"),
]


@pytest.mark.parametrize(("raw", "line", "problem"), REFUSED, ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else None)
def test_what_is_no_yaml_that_we_take_is_refused_with_its_line(raw: bytes, line: int, problem: str, tmp_path: Path) -> None:
    with pytest.raises(Fault, match=problem) as refused:
        read_yaml(raw)
    assert refused.value.line == line
    file = tmp_path / "policy.yaml"
    file.write_bytes(raw)
    findings = lint(file)
    assert [(found.line, found.rule) for found in findings] == [(line, "bad_yaml")]


@pytest.mark.parametrize(
    "raw", [raw for raw, _, problem in REFUSED if problem not in ("cannot be read", "unhashable")], ids=lambda raw: repr(raw[:20])
)
def test_a_scheme_is_refused_for_the_same(raw: bytes) -> None:
    with pytest.raises(Fault) as refused:
        read_document(raw)
    assert refused.value.rule == "bad_yaml"


def values(number: int) -> bytes:
    """A file of so many values, with those that aliases stand for: its object and two names, a list of a thousand 199 times, and more."""
    more = number - 4 - 199 * 1000
    return f"a: &a [{','.join('x' * 999)}]\nb: [{','.join(['*a'] * 198 + ['x'] * more)}]".encode()


def test_a_file_may_have_exactly_the_largest_size_and_exactly_the_most_values() -> None:
    assert read_yaml(b"#" * 1024 * 1024).value is None
    assert len(read_yaml(values(200_000)).value["b"]) == 198 + 996
    with pytest.raises(Fault, match="more than 200000 values"):
        read_yaml(values(200_001))


def test_aliases_days_and_a_byte_order_mark_are_read() -> None:
    file = read_yaml(b"\xef\xbb\xbfa: &a [2026-02-30, 09:00, 1.5, no]\nb: *a\n")
    assert file.value == {"a": ["2026-02-30", "09:00", 1.5, False], "b": ["2026-02-30", "09:00", 1.5, False]}
    assert file.root is not None
    assert read_yaml(b"") == YamlFile(None, None)
    assert read_yaml(b"[" * 64 + b"]" * 64).value[0]


NAMES = """\
stages:
  verified:
    - calendar: cn
      target: {working_days: 5}
      calendar: mon-fri
  told: []
  verified: []
"""


def test_a_value_is_found_in_its_line_and_one_that_is_missing_in_that_of_what_it_is_missing_in() -> None:
    file = read_yaml(b"# promises\n" + NAMES.encode())
    places: list[Where] = [("stages",), ("stages", "told"), ("stages", "verified", 0, "target", "working_days"), ("policy",)]
    assert [file.line_of(where) for where in places] == [2, 7, 5, 1 + 1]
    assert file.line_of(("stages", "verified", 0, "target", "working_seconds", 3)) == 5
    assert read_yaml(b"").line_of(("policy",)) == 1


def test_a_name_that_stands_twice_in_one_object_is_found_with_the_line_in_which_it_stood_before() -> None:
    assert read_yaml(NAMES.encode()).twice() == [(("stages", "verified", 0, "calendar"), 3), (("stages", "verified"), 2)]
    assert read_yaml(b"").twice() == []


@pytest.mark.parametrize(
    ("raw", "value"), [(b"[70, no, 09:00, ~]", ["70", "no", "09:00", "~"]), (b"{70: '70'}", {"70": "70"}), (b"", None)]
)
def test_as_text_every_scalar_is_what_it_looks_like(raw: bytes, value: object) -> None:
    assert read_yaml(raw, as_text=True).value == value
