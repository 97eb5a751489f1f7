"""Calendars of other countries: closed when the country is, provisional when nobody has vouched, shown before they are published."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from common.kernel.faults import Fault
from common.kernel.timeline import Hours
from common.kernel.working_time import Calendar
from common.sla.policy import parse_policy
from ops import calendar
from ops.country_calendars import country_calendar, source_of
from ops.policy_lint import lint

AFTERSALES = Path(sys.executable).with_name("aftersales")
GERMANY: dict[str, Any] = {"country": "DE", "time_zone": "Europe/Berlin", "known_years": [2025, 2026]}
BAVARIA: dict[str, Any] = GERMANY | {"subdivision": "BY"}
UNITY_DAY, EPIPHANY = date(2025, 10, 3), date(2026, 1, 6)  # a Friday and a Tuesday
DAY = [["09:00", "18:00"]]


def written(folder: Path, fields: Mapping[str, Any], name: str = "de") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"name": name, "version": 1, **fields}), "utf-8")
    return file


def shown(folder: Path, fields: Mapping[str, Any], name: str = "de") -> Path:
    """The file that `clock calculate` takes, as `calendar show` prints it."""
    said = CliRunner().invoke(calendar.app, ["show", str(written(folder, fields, name))])
    assert said.exit_code == 0, said.output
    file = folder / f"{name}.json"
    file.write_text(said.stdout, "utf-8")
    return file


def calculated(calendars: Path, *questions: Mapping[str, Any]) -> list[dict[str, Any]]:
    lines = "".join(json.dumps({"id": number, **question}) + "\n" for number, question in enumerate(questions))
    command = [str(AFTERSALES), "clock", "calculate", "--calendars", str(calendars)]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_german_unity_day_is_closed_in_germany_and_the_day_before_is_not() -> None:
    germany = country_calendar(GERMANY)
    assert not germany.is_working_day(UNITY_DAY)
    assert germany.is_working_day(date(2025, 10, 2))


def test_epiphany_is_closed_in_bavaria_and_open_elsewhere_in_germany() -> None:
    assert not country_calendar(BAVARIA).is_working_day(EPIPHANY)
    assert country_calendar(GERMANY).is_working_day(EPIPHANY)
    assert country_calendar(GERMANY | {"subdivision": "BE"}).is_working_day(EPIPHANY)
    assert country_calendar(GERMANY | {"subdivision": "Bayern"}) == country_calendar(BAVARIA)


def test_a_holiday_on_a_saturday_is_had_on_the_friday_where_the_country_says_so() -> None:
    america = country_calendar({"country": "US", "time_zone": "America/New_York", "known_years": [2026]})
    assert not america.is_working_day(date(2026, 7, 3))
    assert country_calendar(GERMANY).is_working_day(date(2026, 10, 2))  # Germany does not move its Saturday holidays


def test_a_saturday_that_hungary_works_is_a_make_up_day_with_the_hours_of_monday() -> None:
    hungary = {"country": "HU", "time_zone": "Europe/Budapest", "known_years": [2026]}
    known = country_calendar(hungary)
    assert known.make_up_days == {date(2026, 1, 10), date(2026, 8, 8)}
    assert known.hours_of(date(2026, 1, 10)) == known.hours_of(date(2026, 1, 12)) != ()
    assert not known.is_working_day(date(2026, 1, 2))
    shop = country_calendar(hungary | {"weekly_hours": {"tue": DAY, "sat": [["10:00", "14:00"]]}})
    assert shop.hours_of(date(2026, 1, 10)) == shop.hours_of(date(2026, 1, 17)) != ()  # Monday's hours would have closed it


def test_a_holiday_closes_a_shop_that_is_open_on_sundays_too() -> None:
    shop = country_calendar(BAVARIA | {"weekly_hours": {"sun": DAY}})
    assert not shop.is_working_day(date(2026, 11, 1))
    assert shop.is_working_day(date(2026, 11, 8))


def test_nothing_is_said_of_years_that_nobody_vouches_for() -> None:
    germany = country_calendar(GERMANY)
    assert {day.year for day in germany.closed_dates} == {2025, 2026}
    assert germany.known_until == date(2026, 12, 31)
    assert (germany.is_provisional(date(2026, 12, 31)), germany.is_provisional(date(2027, 1, 1))) == (False, True)


def test_a_deadline_after_the_last_known_year_is_provisional_when_the_shown_calendar_is_asked(tmp_path: Path) -> None:
    file = shown(tmp_path, BAVARIA, "de-by")
    start, days = "2026-12-30T10:00:00+01:00", [{"working_days": number} for number in (1, 2)]
    within, beyond = calculated(file, *({"calendar": "de-by", "start": start, "target": target} for target in days))
    assert (within["deadline"], within["provisional"]) == ("2026-12-31T18:00:00+01:00", False)
    assert beyond["provisional"] is True
    assert beyond["deadline"].startswith("2027-01-")


def test_a_country_and_more_years_take_seasons_and_alternating_weekdays_along(tmp_path: Path) -> None:
    patterns = {
        "seasons": [{"from": "06-01", "to": "08-31", "weekly_hours": {"mon": [["07:00", "15:00"]]}}],
        "alternating": [{"anchor": "2026-01-10", "hours": [["10:00", "14:00"]]}],
    }
    for fields, name in ((BAVARIA, "de-by"), ({"years": {2026: {"closed": ["10-03"], "make_up": []}}}, "cn-shop")):
        found = Calendar.from_json(json.loads(shown(tmp_path, {**fields, **patterns}, name).read_text("utf-8"))[name])
        assert found.hours_of(date(2026, 6, 15)) == (Hours(7 * 3600, 15 * 3600),)
        assert found.hours_of(date(2026, 9, 19)) == (Hours(10 * 3600, 14 * 3600),)
        assert not found.is_working_day(date(2026, 9, 26))
        assert not found.is_working_day(date(2026, 10, 3))  # a holiday, on the alternating weekday
        assert found.is_provisional(date(2028, 1, 1))


def test_what_is_shown_reads_back_as_the_calendar_and_carries_its_name(tmp_path: Path) -> None:
    documents = json.loads(shown(tmp_path, BAVARIA, "de-by").read_text("utf-8"))
    assert {name: Calendar.from_json(document) for name, document in documents.items()} == {"de-by": country_calendar(BAVARIA)}


def test_the_days_of_china_are_shown_under_a_name_that_calculate_takes(tmp_path: Path) -> None:
    said = CliRunner().invoke(calendar.app, ["show", "--china", "2026"])
    file = tmp_path / "cn.json"
    file.write_text(said.stdout, "utf-8")
    answers = calculated(file, {"calendar": "cn@2026", "date": "2026-10-01"}, {"calendar": "cn@2026", "date": "2026-10-10"})
    assert [answer["working_day"] for answer in answers] == [False, True]


@pytest.mark.parametrize(
    ("change", "field", "rule", "expected"),
    [
        ({"country": "ZZ"}, "country", "unknown_country", "no country ZZ"),
        ({"country": "Germany"}, "country", "bad_code", "two capitals"),
        ({"country": False}, "country", "bad_code", "Norway needs quotes"),
        ({"country": "CN"}, "country", "statutory_calendar", "State Council's notices.*--china YEAR"),
        ({"subdivision": "ZZ"}, "subdivision", "unknown_subdivision", "DE has no 'ZZ'; one of BB, BE, .* is expected"),
        ({"country": "FJ", "subdivision": "BY"}, "subdivision", "unknown_subdivision", "none is known there"),
        ({"subdivision": 9}, "subdivision", "bad_code", "need quotes"),
        ({"known_years": [2026, 2028]}, "known_years", "years_with_a_gap", "2027 is missing"),
        ({"known_years": [1990, 1991]}, "known_years", "year_not_covered", "from 1991 to 2100 are expected, not 1990"),
        ({"known_years": [2100, 2101]}, "known_years", "year_not_covered", "not 2101"),
        ({"known_years": []}, "known_years", "bad_years", "a list of the years"),
        ({"known_years": 2026}, "known_years", "bad_years", "a list of the years"),
        ({"known_years": ["2026"]}, "known_years", "bad_years", "a list of the years"),
        ({"known_years": [True]}, "known_years", "bad_years", "a list of the years"),
        ({"time_zone": "Mars/Base"}, "time_zone", "bad_calendar", "IANA"),
        ({"weekly_hours": {"mon": [["09:00", 1080]]}}, "weekly_hours.mon[0]", "bad_calendar", "a range like"),
        ({"country": "SA"}, "weekly_hours", "missing_field", "the weekend of SA has Friday"),
    ],
)
def test_what_gives_no_calendar_is_refused_with_field_rule_and_what_is_expected(
    change: dict[str, Any], field: str, rule: str, expected: str
) -> None:
    with pytest.raises(Fault, match=expected) as refusal:
        country_calendar(GERMANY | change)
    assert (refusal.value.field, refusal.value.rule) == (field, rule)


@pytest.mark.parametrize("name", ["country", "time_zone", "known_years"])
def test_country_zone_and_known_years_have_to_be_said(name: str) -> None:
    with pytest.raises(Fault) as refusal:
        country_calendar({field: value for field, value in GERMANY.items() if field != name})
    assert (refusal.value.field, refusal.value.rule) == (name, "missing_field")


def test_a_country_that_rests_on_other_days_is_open_on_sunday_when_its_hours_say_so() -> None:
    hours = dict.fromkeys(("sun", "mon", "tue", "wed", "thu"), DAY)
    arabia = country_calendar({"country": "SA", "time_zone": "Asia/Riyadh", "weekly_hours": hours, "known_years": [2026]})
    assert arabia.is_working_day(date(2026, 1, 4))
    assert not arabia.is_working_day(date(2026, 1, 2))


def test_a_dry_run_says_what_would_be_published_and_until_when_it_is_known(tmp_path: Path) -> None:
    said = CliRunner().invoke(calendar.app, ["publish", str(written(tmp_path, BAVARIA, "de-by")), "--dry-run"])
    assert (said.exit_code, said.stdout) == (0, "Would publish de-by@1, known until 2026-12-31.\n")


@pytest.mark.parametrize("command", [["publish", "--dry-run"], ["show"]])
def test_a_refusal_names_the_file_the_field_and_the_rule_in_one_line(tmp_path: Path, command: list[str]) -> None:
    file = written(tmp_path, GERMANY | {"country": "CN"})
    refused = CliRunner().invoke(calendar.app, [*command, str(file)])
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert refused.stderr.startswith(f"{file}: country: statutory_calendar: ")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"calendar": {"time_zone": "UTC", "weekly_hours": {"mon": DAY}}}, "one of calendar, years and country is expected"),
        ({"known": [2026]}, "unknown field known; there are alternating, country, kind, known_years, name"),
    ],
)
def test_a_file_says_its_days_in_one_way_and_with_the_fields_of_that_way(tmp_path: Path, more: Mapping[str, Any], problem: str) -> None:
    refused = CliRunner().invoke(calendar.app, ["publish", str(written(tmp_path, {**GERMANY, **more})), "--dry-run"])
    assert refused.exit_code == 1
    assert problem in refused.stderr


def test_a_whole_calendar_takes_no_field_of_a_country(tmp_path: Path) -> None:
    whole = {"calendar": {"time_zone": "UTC", "weekly_hours": {"mon": DAY}}, "known_years": [2026]}
    refused = CliRunner().invoke(calendar.app, ["show", str(written(tmp_path, whole))])
    assert refused.exit_code == 1
    assert "unknown field known_years; there are calendar, kind, name, notice, version" in refused.stderr


def test_the_notice_says_by_whose_word_the_days_are_what_they_are() -> None:
    assert source_of(BAVARIA).startswith("holidays ")
    assert source_of(BAVARIA).endswith(": DE, BY")


def test_a_region_counts_on_its_own_calendar_when_a_rule_says_so(tmp_path: Path) -> None:
    one_day = {"target": {"working_days": 1}}
    rules = [{"when": {"region": "bavaria"}, "calendar": "de-by", **one_day}, {"calendar": "cn", **one_day}]
    stages = ("acknowledged", "verification_started", "verified", "escalated", "solution_communicated")
    document = {"policy": "complaints", "version": 2, "stages": dict.fromkeys(stages, rules)}
    policy = parse_policy(document)
    assert policy.promise("verified", {"region": "bavaria", "priority": "P1"}).calendar == "de-by"
    assert policy.promise("verified", {"region": "north"}).calendar == policy.promise("verified", {}).calendar == "cn"
    assert policy.named_calendars == {"de-by", "cn"}
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document), "utf-8")
    assert lint(file, calendars=("de-by",)) == []
    assert {finding.rule for finding in lint(file)} == {"unknown_calendar"}


def test_no_command_pays_for_the_package_before_a_file_names_a_country() -> None:
    program = (
        "import sys; from ops.main import main; import ops.calendar; status = main(['clock', 'calculate']);"
        "sys.exit('holidays was loaded' if 'holidays' in sys.modules else status)"
    )
    done = subprocess.run([sys.executable, "-c", program], input=b"", capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
