"""Times are read in any layout that fits all rows in one way only."""

import re
from datetime import UTC, datetime

import duckdb
import exports
import pytest

from headroom.intake.files import cells
from headroom.intake.words import times
from headroom.intake.words.times import UnclearTime, layout_of_times, repeated_hours, zone_of_heading

MOMENT = datetime(2024, 2, 13, 13, 5, tzinfo=UTC)


@pytest.fixture
def read():
    with duckdb.connect() as db:
        db.execute(cells.MACROS + "SET TimeZone = 'UTC'; CREATE TABLE moment (written VARCHAR)")

        def moments(*texts, time_format=None, zones=None):
            db.execute("DELETE FROM moment")
            db.executemany("INSERT INTO moment VALUES (?)", [[text] for text in texts])
            layout = layout_of_times(db, "moment", "written", texts, time_format, zones or {})
            return [moment for (moment,) in db.table("moment").select(layout.sql("written")).fetchall()]

        yield moments


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-13T13:05:00Z", "2024-02-13 13:05:00 Z", "2024-02-13 13:05", "2024/02/13 13:05:00",
        "2024-02-13 14:05:00 +01:00", "1707829500",
        "1707829500000", "20240213T130500Z", "20240213 13:05:00", "202402131305", "13/02/2024 13:05",
        "13.02.2024 13:05",
        "02/13/2024 01:05 PM", "2/13/2024 1:05:00 PM", "2/13/2024, 1:05:00.000 PM", "Feb 13, 2024 1:05 PM",
        "February 13, 2024 01:05 PM", "Tue, 13 Feb 2024 13:05:00 GMT", "13-Feb-2024 13:05",
        "13/Feb/2024:13:05:00 +0000",
        "Tue Feb 13 2024 14:05:00 GMT+0100 (Central European Standard Time)", "2024-02-13 13:05:00 UTC",
        "2024-02-13 13:05:00 +0000 UTC", "Tue Feb 13 13:05:00 2024", "Tue Feb 13 13:05:00 UTC 2024",
        "2/13/2024 1:05:00\u202fPM", "13/02/2024 1:05:00 p. m.", "13/02/2024 13h05", "2024年02月13日 13:05",
        "2024-02-13 14:05:00 +0100 CET", "2024-02-13T14:05:00+01:00[Europe/Berlin]",
        "13.02.2024 13.05", "13.02.2024, 13:05 Uhr", "Di 13.02.2024 13:05", "20240213_130500", "20240213T130500.000Z",
        "13-FEB-24 01.05.00.000000 PM", "2024. 2. 13. 13:05", "2024年2月13日 13時05分", "2024-02-13 오후 1:05:00",
        "2024/2/13 下午 1:05:00",
        "2/13/2024 1:05:00 PM - 1:10:00 PM", "2024-02-13 13:05 - 2024-02-13 13:10",
    ],
)  # fmt: skip
def test_a_moment_is_understood_however_it_is_written(read, text):
    assert read(text) == [MOMENT]


@pytest.mark.parametrize(
    "text",
    [
        "13. Februar 2024 13:05", "Dienstag, 13. Februar 2024 13:05 Uhr", "13 févr. 2024 13:05",
        "mar. 13 févr. 2024 à 13:05", "13 de febrero de 2024 13:05", "martes, 13 de febrero de 2024, 13:05",
        "13 febbraio 2024 13:05", "13 de fevereiro de 2024 às 13:05", "13 februari 2024 om 13:05",
        "13. feb. 2024 13:05",
    ],
)  # fmt: skip
def test_months_have_names_in_several_languages(read, text):
    assert read(text) == [MOMENT]


def test_months_that_come_later_in_a_file_are_read_as_well(read):
    layouts = ["30. April 2024 00:00", "1. Mai 2024 00:00", "2. Dezember 2024 00:00"]
    assert [moment.month for moment in read(*layouts)] == [4, 5, 12]
    # Croats and Poles call different months so.
    assert read("13 listopada 2024 00:00") == [None]


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("BST", "+01:00"), ("CEST", "+02:00"), ("EST", "-05:00"), ("GMT+3", "+03:00"), ("UTC-4", "-04:00")],
)
def test_the_example_of_a_mapping_is_right_for_whoever_copies_it(read, zone, offset):
    with pytest.raises(UnclearTime, match=re.escape(f'{{{zone}: "{offset}"}}')):
        read(f"2024-02-13 13:05:00 {zone}")


def test_the_first_rows_of_a_file_may_be_of_the_morning_only(tmp_path):
    halves = [("오전", hour) for hour in range(1, 12)] + [("오후", hour) for hour in range(1, 12)]
    rows = [f"2024-02-13 {half} {hour}:{minute:02}:00,a,41.5" for half, hour in halves for minute in range(0, 60, 2)]
    _, quality = exports.read(tmp_path, {"a.csv": "\n".join(["time,host,cpu", *rows])})
    assert quality["rows"]["accepted"] == len(rows)


def test_a_layout_is_certain_of_the_file_though_not_of_each_row(read):
    assert [moment.day for moment in read("11/02/2024 00:00", "13/02/2024 00:00")] == [11, 13]


@pytest.mark.parametrize(
    "texts, why",
    [
        (["03/02/2024 00:00", "04/02/2024 00:00"], "several ways: .*time_format"),
        (["13/02/2024 00:00", "02/13/2024 00:00"], "several layouts"),
        (["2024-06-03 01:00:00 BST"], "'BST' .*zones"), (["2024-02-03 01:00 CET"], "'CET'"),
        (["2024-02-03 01:00:00 GMT+1"], r"GMT\+1"), (["1.70692E+09"], "rounded"),
    ],
)  # fmt: skip
def test_what_can_be_read_in_several_ways_is_refused_with_what_to_do(read, texts, why):
    with pytest.raises(UnclearTime, match=why):
        read(*texts)


def test_the_settings_decide_on_layouts_and_on_abbreviated_zones(read):
    assert read("03/02/2024 00:00", time_format="%d/%m/%Y %H:%M")[0].month == 2
    assert read("2024-02-13 14:05:00 CET", zones={"CET": "+01:00"}) == [MOMENT]


def test_a_format_of_the_settings_is_of_the_text_as_it_stands(read):
    assert read("2024年02月13日 13:05", time_format="%Y年%m月%d日 %H:%M") == [MOMENT]


def test_a_row_that_is_no_time_costs_only_itself(read):
    assert read("13/02/2024 13:05", "total") == [MOMENT, None]


def test_abbreviations_among_plain_times_are_no_times(read):
    assert read("2024-02-13 13:05:00") == [MOMENT]
    with duckdb.connect() as db:
        db.execute(cells.MACROS)
        for text in ("2024-06-03 01:00 BST", "2024-06-03 01:00:00 GMT+1", "2024-06-03 1:00 EST5", "infinity", "nan"):
            assert db.execute("SELECT instant(?)", [text]).fetchone() == (None,), text


def test_a_heading_may_name_the_zone():
    assert zone_of_heading("Timestamp (Europe/Berlin)", {}) == "Europe/Berlin"
    assert zone_of_heading("TimeGenerated [UTC]", {}) == "UTC" and zone_of_heading("Time (UTC+1)", {}) == "Etc/GMT-1"
    assert zone_of_heading("Timestamp [ms]", {}) is None
    with pytest.raises(UnclearTime, match="IST"):
        zone_of_heading("Time (IST)", {})


def test_the_hour_that_comes_twice_in_autumn_is_found():
    whole_year = datetime(2024, 1, 1), datetime(2024, 12, 31)
    assert repeated_hours("Europe/Berlin", *whole_year) == [datetime(2024, 10, 27, 1)]
    assert repeated_hours("America/New_York", *whole_year) == [datetime(2024, 11, 3, 6)]
    assert repeated_hours("Asia/Tokyo", *whole_year) == []


@pytest.mark.parametrize(
    "text",
    ["13 lutego 2024 12:05", "13 lut 2024 12:05", "13 февраля 2024 12:05", "13 февр. 2024 г., 12:05",
     "13. února 2024 12:05",
     "13 лютого 2024 12:05", "13 Şubat 2024 12:05", "Feb 13, 2024 @ 12:05:00.000"],
)  # fmt: skip
def test_months_are_known_in_more_languages(tmp_path, text):
    panel, _ = exports.read(tmp_path, {"a.csv": f"time;host;cpu\n{text};a;5\n"}, "frequency: h")
    assert panel["ds"].astype(str).tolist() == ["2024-02-13 12:00:00"]


def test_no_month_of_a_language_is_another_one_elsewhere():
    words = [word for names in times._MONTHS.values() for word in set(names.split())]
    assert len(words) == len(set(words))
    assert not {"lip", "lis", "listopada"} & set(words), "July and November in Poland, June and October in Croatia"


@pytest.mark.parametrize(
    "line, zone",
    [("Times are in Europe/Berlin", "Europe/Berlin"), ("Zeitzone;Europe/Berlin;;", "Europe/Berlin"),
     ("Fuseau horaire : Europe/Paris", "Europe/Paris"), ("Timezone is Asia/Tokyo (JST)", "Asia/Tokyo"),
     ("Time zone: (GMT+02:00)", "Etc/GMT-2"), ("Times are in UTC+1.", "Etc/GMT-1"), ("# All times UTC", "UTC"),
     ("Time zone: (UTC) Coordinated Universal Time", "UTC"), ("Time zone: +0530", "GMT+05:30"),
     ("Response times in ms", None), ("Time range: 2024-02-13", None), ("Time in percent", None), ("Uptime CET", None),
     ("Times are in seconds", None), ("2024-02-13 00:05,web-1,41.3", None), ("Data of Europe/Berlin-3", None)],
)  # fmt: skip
def test_the_zone_that_a_line_beside_a_table_says(line, zone):
    assert times.zone_around([line, "Average;41.2"], {}) == zone


@pytest.mark.parametrize(
    "line",
    ["Zeitzone: CET", "(GMT+02:00)", "Report of 2024-02-13 (GMT+02:00)", "Time zone: (UTC+01:00) Amsterdam, Berlin",
     "Europe/Berlin", "Time zone: W. Europe Standard Time", "Zeiten in MEZ", "Range: one day UTC+02:00", "tz: EST",
     "Times are in Europe/Berlin or Asia/Tokyo\nTime zone: Asia/Tokyo"],
)  # fmt: skip
def test_a_zone_beside_a_table_that_is_not_certain_is_refused(line):
    with pytest.raises(times.UnclearTime, match="timezone: Europe/Berlin"):
        times.zone_around(line.split("\n"), {})


def test_a_zone_that_the_settings_map_is_certain():
    assert times.zone_around(["Zeitzone: CET"], {"CET": "+01:00"}) == "Etc/GMT-1"
    assert times.zone_around(["Report (GMT+02:00)"], {"GMT+02:00": "+02:00"}) == "Etc/GMT-2"


@pytest.mark.parametrize("offset", ["+330", "-480", "-60", "+15", "+5:60", "+14:75"])
def test_an_offset_that_could_be_of_minutes_is_no_zone(offset):
    with pytest.raises(UnclearTime, match="can mean several"):
        zone_of_heading(f"Time (UTC{offset})", {})
