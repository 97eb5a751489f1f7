"""Where a command is told to look: an address that is none ends it with one line, in which no password stands."""

import pytest
import typer

from ops.connection import database_address


@pytest.mark.parametrize(
    "given",
    ["nonsense", "secret@host:5432", "postgresql://u:secret@host:abc/postgres", "http://u:secret@host/postgres", "postgresql//host"],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        database_address(given)
    assert ended.value.exit_code == 2
    said = capsys.readouterr().err
    assert "--database or DATABASE_URL: expected postgresql://USER@HOST:PORT/postgres" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "given", ["postgresql://u@host:5432/postgres", "postgres://u:p@host/postgres", "postgresql://u@[::1]:5432/postgres"]
)
def test_an_address_is_taken_as_it_is_given(given: str) -> None:
    assert database_address(given) == given
