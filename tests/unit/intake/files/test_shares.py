"""Shares of one beside percent: right, or set aside with the sentence that decides; idle servers are believed."""

import random

import exports
import pytest

from headroom.core.job import InputError

BUSY = exports.fleet("web-1", "web-2", "db-1")


def table(*fleets, heading="cpu"):
    rows = [f"{exports.iso(at)},{server},{v}" for made in fleets for server, x in made.items() for at, v in x]
    return "\n".join([f"timestamp,server_id,{heading}", *rows]) + "\n"


def scaled(server, factor, digits, made=BUSY["db-1"]):
    return {server: [(at, round(v * factor, digits)) for at, v in made]}


def idle(server, level=0.4, digits=2, seed=3):
    chance = random.Random(seed)  # noqa: S311 - no secret
    return {server: [(at, round(level * (0.5 + chance.random()), digits)) for at, _ in BUSY["db-1"]]}


def test_a_column_that_never_exceeds_one_is_refused(tmp_path):
    with pytest.raises(InputError, match="shares of one"):
        exports.read(tmp_path, {"x.csv": table(idle("a"))})


@pytest.mark.parametrize("nothing", ["NaN", "", "inf"])
def test_cells_without_a_number_hide_no_shares(tmp_path, nothing):
    gap = f"2024-02-13T00:05:00Z,odd-1,{nothing}\n"
    with pytest.raises(InputError, match="shares of one"):
        exports.read(tmp_path / "all", {"x.csv": table(scaled("odd-1", 0.01, 4)) + gap})
    panel, _ = exports.read(tmp_path, {"x.csv": table(BUSY, scaled("odd-1", 0.01, 4)) + gap})
    assert set(panel["server_id"]) == set(BUSY)


@pytest.mark.parametrize("digits", [4, 9])
def test_a_server_in_shares_beside_others_in_percent_is_set_aside_and_named(tmp_path, digits):
    panel, quality = exports.read(tmp_path, {"x.csv": table(BUSY, scaled("odd-1", 0.01, digits))})
    assert exports.is_right(panel, quality, cpu=BUSY)
    [note] = [note for note in quality["notes"] if "cpu of odd-1 never exceeds 1" in note]
    assert "say units: {cpu: percent}" in note
    panel, _ = exports.read(
        tmp_path / "said", {"x.csv": table(BUSY, scaled("odd-1", 0.01, digits))}, "units: {cpu: percent}"
    )
    assert set(panel["server_id"]) == {*BUSY, "odd-1"}


def test_a_server_that_changes_to_shares_in_the_midst_is_set_aside(tmp_path):
    made = BUSY["db-1"]
    changed = {"odd-1": made[:48] + [(at, round(v / 100, 4)) for at, v in made[48:]]}
    panel, quality = exports.read(tmp_path, {"x.csv": table(BUSY, changed)})
    assert exports.is_right(panel, quality, cpu=BUSY)
    assert any("cpu of odd-1 is at times below 1, with more decimals" in note for note in quality["notes"])
    at_night = {"night-1": made[:48] + idle("night-1")["night-1"][48:]}
    panel, quality = exports.read(tmp_path / "night", {"x.csv": table(BUSY, at_night)})
    assert exports.is_right(panel, quality, cpu=BUSY | at_night)


def test_what_is_free_in_shares_is_set_aside_too(tmp_path):
    free = {server: [(at, round(100 - v, 2)) for at, v in made] for server, made in BUSY.items()}
    odd = {"odd-1": [(at, round(v / 100, 4)) for at, v in free["db-1"]]}
    panel, quality = exports.read(tmp_path, {"x.csv": table(free, odd, heading="cpu_idle")})
    assert exports.is_right(panel, quality, cpu=BUSY)


@pytest.mark.parametrize("digits", [1, 2])
def test_an_idle_server_beside_busy_ones_is_believed(tmp_path, digits):
    quiet = idle("quiet-1", digits=digits)
    panel, quality = exports.read(tmp_path, {"x.csv": table(BUSY, quiet)})
    assert exports.is_right(panel, quality, cpu=BUSY | quiet)


def test_an_idle_server_with_a_course_is_believed_where_all_numbers_have_two_decimals(tmp_path):
    quiet = scaled("quiet-1", 0.007, 2)
    panel, quality = exports.read(tmp_path, {"x.csv": table(BUSY, quiet)})
    assert exports.is_right(panel, quality, cpu=BUSY | quiet)


def test_shares_of_two_decimals_beside_percent_of_more_are_set_aside(tmp_path):
    finer = {
        server: [(at, round(v + 0.0001 * place, 4)) for place, (at, v) in enumerate(x)] for server, x in BUSY.items()
    }
    panel, quality = exports.read(tmp_path, {"x.csv": table(finer, scaled("odd-1", 0.01, 2))})
    assert exports.is_right(panel, quality, cpu=finer)


def test_a_server_whose_memory_never_exceeds_one_either_is_in_shares(tmp_path):
    rows = [(at, server, v, v / 2) for server, made in BUSY.items() for at, v in made]
    rows += [(at, "odd-1", v / 100, v / 200) for at, v in BUSY["db-1"]]
    text = "\n".join(f"{exports.iso(at)},{server},{cpu:.2f},{memory:.2f}" for at, server, cpu, memory in rows)
    panel, _ = exports.read(tmp_path, {"x.csv": f"timestamp,server_id,cpu,memory\n{text}"})
    assert set(panel["server_id"]) == set(BUSY)


def test_an_idle_server_whose_numbers_have_more_decimals_than_those_of_others_is_not(tmp_path):
    panel, quality = exports.read(tmp_path, {"x.csv": table(BUSY, idle("quiet-1", digits=5))})
    assert exports.is_right(panel, quality, cpu=BUSY)


def test_a_server_at_its_limit_all_day_has_no_course_and_is_not_idle(tmp_path):
    chance = random.Random(5)  # noqa: S311 - no secret
    full = {"full-1": [(at, round(0.97 + 0.02 * chance.random(), 2)) for at, _ in BUSY["db-1"]]}
    panel, quality = exports.read(tmp_path, {"x.csv": table(BUSY, full)})
    assert exports.is_right(panel, quality, cpu=BUSY)


def test_a_server_that_does_nothing_most_of_the_time_and_little_in_wide_steps_is_idle(tmp_path):
    finer = {server: [(at, round(v * 0.913, 3)) for at, v in made] for server, made in BUSY.items()}
    steps = [0, 0, 0.067, 0, 0.133, 0.2, 0.267, 0, 0, 0, 0.867, 1.0, 0.933, 0, 0, 0]

    def stepping(nothing):
        return {"rare-1": [(at, steps[n % len(steps)] or nothing) for n, (at, _) in enumerate(BUSY["db-1"])]}

    panel, quality = exports.read(tmp_path / "idle", {"x.csv": table(finer, stepping(0))})
    assert exports.is_right(panel, quality, cpu=finer | stepping(0))
    panel, quality = exports.read(tmp_path / "busy", {"x.csv": table(finer, stepping(0.533))})
    assert exports.is_right(panel, quality, cpu=finer), "a machine of fifteen parts, never at rest"


def test_what_is_believed_of_a_server_does_not_depend_on_the_files_that_come_with_it(tmp_path):
    nearly_idle = scaled("quiet-1", 0.01, 4)
    later = exports.fleet(*BUSY, day="2024-02-14")
    little = {"quiet-1": [(at, round(v / 15, 2)) for at, v in later["db-1"]]}
    first, second = table(BUSY, nearly_idle), table(later, little)
    alone, _ = exports.read(tmp_path / "alone", {"13.csv": first})
    beside, quality = exports.read(tmp_path / "beside", {"13.csv": first, "14.csv": second})
    day = beside[beside["ds"] < "2024-02-14"].reset_index(drop=True)
    assert day.equals(alone), "files may come one by one"
    assert any("cpu of quiet-1 never exceeds 1" in note for note in quality["notes"])


def test_an_empty_disk_beside_fuller_ones_of_its_server_is_in_percent(tmp_path):
    rows = [f"{exports.iso(at)},{disk},a,{v}" for at, v in BUSY["web-1"] for disk, v in (("/", v), ("/boot", 0.61))]
    rows += [f"{exports.iso(at)},/,b,{round(v / 100, 4)}" for at, v in BUSY["web-2"]]
    text = "\n".join(["time,mount,host,disk usage", *rows])
    panel, quality = exports.read(tmp_path, {"x.csv": text})
    assert {(row.server_id, row.entity) for row in panel.itertuples()} == {("a", "/"), ("a", "/boot")}
    assert any("disk of b never exceeds 1" in note for note in quality["notes"])


def test_shares_rounded_to_two_decimals_beside_percent_of_two_are_set_aside(tmp_path):
    panel, quality = exports.read(tmp_path, {"x.csv": table(BUSY, scaled("odd-1", 0.01, 2))})
    assert exports.is_right(panel, quality, cpu=BUSY)
    assert any("cpu of odd-1 never exceeds 1" in note for note in quality["notes"])
