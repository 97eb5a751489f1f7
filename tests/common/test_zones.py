"""Zones: the packaged rules count everywhere, whatever the machine has under the same name."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, reset_tzpath  # noqa: TID251 - what the product must not ask

import pytest

from appraisal.presets import Schemes
from common.kernel.calendars import NINE_TO_SIX
from common.kernel.faults import Fault
from common.kernel.instants import to_micros
from common.kernel.open_years import pieces_of
from common.kernel.working_time import Calendar
from common.kernel.zones import data_version, zone_named
from ops.replay.declarations import Columns, declared
from ops.replay.times import read_time

VANCOUVER = {"time_zone": "America/Vancouver", "weekly_hours": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}
QUESTION = {"id": 1, "calendar": VANCOUVER, "start": "2026-11-02T16:00:00Z", "target": {"working_seconds": 7200}}
CALCULATE = [sys.executable, "-c", "import sys; from ops.main import main; sys.exit(main())", "clock", "calculate"]


@pytest.fixture
def misled(tmp_path: Path) -> Iterator[Path]:
    """A machine whose zone files are wrong: Vancouver keeps the time of Tokyo, and there is a zone that IANA does not know."""
    tokyo = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    for name in ("America/Vancouver", "Made/Up"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(tokyo)
    reset_tzpath(to=[str(tmp_path)])
    ZoneInfo.clear_cache()
    yield tmp_path
    reset_tzpath(to=TZPATH)
    ZoneInfo.clear_cache()


def test_the_rules_of_the_machine_never_count(misled: Path) -> None:
    at = datetime(2026, 11, 2, 9, tzinfo=ZoneInfo("America/Vancouver"))
    assert at.utcoffset() == timedelta(hours=9)  # whoever asks the machine is told so
    done = subprocess.run(
        CALCULATE, input=json.dumps(QUESTION).encode(), env={"PYTHONTZPATH": str(misled)}, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == {"id": 1, "deadline": "2026-11-02T11:00:00-07:00", "provisional": False}
    calendar = Calendar.from_json(VANCOUVER)
    assert calendar.zone is zone_named("America/Vancouver")
    assert calendar.instant(1_793_635_200_000_000).isoformat() == "2026-11-02T09:00:00-07:00"


def test_a_zone_that_only_the_machine_knows_is_unknown(misled: Path) -> None:
    assert ZoneInfo("Made/Up").key == "Made/Up"
    with pytest.raises(KeyError):
        zone_named("Made/Up")
    scheme = dict(Schemes().find("department-360").document)
    with pytest.raises(Fault, match="IANA data base"):
        Schemes().find({**scheme, "cycle": {"period": "quarter", "zone": "Made/Up"}})
    with pytest.raises(ValueError, match="no time zone"):
        Calendar.from_json({**VANCOUVER, "time_zone": "Made/Up"})
    with pytest.raises(Fault):
        read_time(declared({"column": "at", "format": "iso", "zone": "Made/Up"}, "times", "at"), Columns())


@pytest.mark.parametrize(
    "name", ["", "..", "../Asia/Tokyo", "/etc/localtime", "asia/tokyo", "Asia", "zone.tab", "tzdata.zi", "__init__.py", "A\0"]
)
def test_what_is_no_name_of_a_zone_is_unknown(name: str) -> None:
    with pytest.raises(KeyError):
        zone_named(name)


def test_each_zone_of_the_packaged_data_is_found_under_its_own_name() -> None:
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    assert len(names) > 500
    assert [zone_named(name).key for name in names] == names


def test_a_day_opens_and_closes_by_the_clock_of_each_zone_now_and_where_only_its_yearly_rule_is_known() -> None:
    for name in resources.files("tzdata").joinpath("zones").read_text("utf-8").split():
        zone = zone_named(name)
        for day in (datetime(2026, 1, 5), datetime(2026, 7, 6), datetime(2045, 1, 2), datetime(2045, 7, 3)):  # noqa: DTZ001 - of any zone
            opens, closes = (to_micros(day.replace(hour=hour, tzinfo=zone)) for hour in (9, 18))
            assert pieces_of(zone, day.toordinal(), NINE_TO_SIX) == [(opens, closes)], name


def test_digests_name_the_version_of_the_data_that_is_read() -> None:
    from importlib.metadata import version

    assert data_version() == version("tzdata")
