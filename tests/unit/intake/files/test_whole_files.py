"""What only all rows of a file say against it."""

from datetime import UTC, datetime, timedelta

import exports
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headroom.core.job import InputError

CPU = exports.fleet("web-1", "web-2")


def table(row, header="time,server,cpu,memory"):
    rows = [
        ",".join([exports.iso(at), server, *row(place, f"{value:.2f}".replace(".", ","))])
        for place, (server, at, value) in enumerate((s, at, v) for s, made in CPU.items() for at, v in made)
    ]
    return {"a.csv": "\n".join([header, *rows])}


def test_decimal_commas_that_part_the_fields_make_no_other_numbers(tmp_path):
    files = table(lambda place, cpu: [cpu[:-1]] if place % 3 == 0 else [cpu[:-1], "63,4"])
    with pytest.raises(InputError, match=r"as if a? ?decimal commas? parted them"):
        exports.read(tmp_path, files)


@pytest.mark.parametrize("header", ["time,server,cpu,memory", "time,server,cpu,", "time,server,cpu,comment"])
def test_decimals_do_not_fill_the_next_column(tmp_path, header):
    with pytest.raises(InputError, match="a decimal comma parted"):
        exports.read(tmp_path, table(lambda _, cpu: [cpu], header))


def test_commas_in_a_remark_cost_only_their_rows(tmp_path):
    def row(place, cpu):
        return [cpu.replace(",", "."), "disk full, again" if place % 4 == 0 else "ok"]

    panel, quality = exports.read(tmp_path, table(row, "time,server,cpu,note"))
    assert set(panel["server_id"]) == set(CPU) and exports.adds_up(quality)
    assert quality["rows"]["quarantined"] == 48


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(missing=st.floats(0, 1), decimals=st.integers(2, 4), chance=st.randoms(use_true_random=False))
def test_whatever_is_missing_beside_decimal_commas_no_wrong_number_is_read(tmp_path_factory, missing, decimals, chance):
    def row(_, cpu):
        longer = f"{cpu}{chance.randrange(10 ** (decimals - 2)):0{decimals - 2}}" if decimals > 2 else cpu
        return [longer] if chance.random() < missing else [longer, "63,40"]

    with pytest.raises(InputError):
        exports.read(tmp_path_factory.mktemp("m"), table(row))


def test_numbers_that_count_from_1980_are_no_samples_of_ten_years_ago(tmp_path):
    gps = 315_964_800
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    moments = [now - timedelta(hours=hour) for hour in range(72)]
    rows = "".join(f"{int(at.timestamp()) - gps},web-1,{40 + at.hour}\n" for at in moments)
    with pytest.raises(InputError, match=r"in these weeks if they count from 1980, as GPS time does"):
        exports.read(tmp_path / "gps", {"a.csv": "time,host,cpu\n" + rows})
    dates = "".join(f"{at - timedelta(seconds=gps):%Y-%m-%dT%H:%M:%SZ},web-1,{40 + at.hour}\n" for at in moments)
    panel, _ = exports.read(tmp_path / "dates", {"a.csv": "time,host,cpu\n" + dates})
    assert panel["ds"].max() < now.replace(tzinfo=None) - timedelta(days=3600)


def test_files_of_years_ago_beside_those_of_today_are_told(tmp_path):
    now = exports.fleet("web-1", day="2024-02-13")
    old = exports.fleet("db-9", day="2014-02-10")
    _, quality = exports.read(
        tmp_path, {"now.csv": exports.wide(now)["fleet.csv"], "old.csv": exports.wide(old)["fleet.csv"]}
    )
    [note] = [note for note in quality["notes"] if "Nothing is known" in note]
    assert "between 2014-02-10 and 2024-02-13. If what is older (1 (db-9)) is not so old" in note


def rows_of_days(*written):
    """Days of a server, each day's times in one of these layouts; British Summer Time is an hour ahead."""
    rows = []
    for day, layout in enumerate(written, start=29):
        at = datetime(2024, 3, 28, tzinfo=UTC) + timedelta(days=day - 29, hours="BST" in layout)
        rows += [f"{at + timedelta(minutes=10 * step):{layout}},web-1,{30 + step / 7:.2f}" for step in range(144)]
    return {"a.csv": "\n".join(["time,server_id,cpu", *rows])}


@pytest.mark.parametrize(
    ("first", "then", "why"),
    [
        ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", r"several layouts, one of them as in '30\.03\.2024 00:00:00'"),
        ("%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "several layouts"),
        (
            "%Y-%m-%d %H:%M:%S GMT",
            "%Y-%m-%d %H:%M:%S BST",
            "the zone 'BST' of .* map it in the settings, such as zones: {BST",
        ),
    ],
)
def test_a_file_that_goes_on_in_other_times_is_refused_as_a_whole(tmp_path, first, then, why):
    with pytest.raises(InputError, match=why):
        exports.read(tmp_path, rows_of_days(first, first, then))


def test_a_zone_that_the_settings_map_may_begin_in_the_midst_of_a_file(tmp_path):
    files = rows_of_days("%Y-%m-%d %H:%M:%S GMT", "%Y-%m-%d %H:%M:%S GMT", "%Y-%m-%d %H:%M:%S BST")
    panel, quality = exports.read(tmp_path, files, 'zones: {BST: "+01:00"}')
    assert quality["rows"]["quarantined"] == 0
    assert panel["samples"].tolist() == [144, 144, 144]


def test_a_few_damaged_times_cost_only_their_rows(tmp_path):
    files = rows_of_days("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S")
    files["a.csv"] = files["a.csv"].replace("2024-03-28 01:00:00", "2024-03-28 01:0\n", 1)
    assert exports.read(tmp_path, files)[0]["samples"].tolist() == [143, 144]
