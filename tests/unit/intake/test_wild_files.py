"""Whatever people do to an export: no crash, no row unaccounted for, no wrong value."""

import gzip
import json
from datetime import date

import exports
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headroom.core.job import InputError

pytestmark = pytest.mark.slow

# An example is a whole run of the job, so some hold several files, and they are few.
quick = settings(max_examples=12, suppress_health_check=list(HealthCheck))
names = st.sampled_from(sorted(exports.EXPORTS))
LINES = [
    name
    for name, make in exports.EXPORTS.items()
    for content in [next(iter(make(exports.fleet("a-1")).values()))]
    if isinstance(content, str) and len(content.splitlines()) > 50
]


def read(folder, files, rules=None):
    """The panel and its report, or nothing where all is refused; in both cases with a reason for what is not there."""
    try:
        panel, quality = exports.read(folder, files, rules)
    except InputError as error:
        assert len(str(error).split()) > 4
        return None, None
    assert exports.adds_up(quality)
    return panel, quality


def only_true_values(panel, cpu):
    """Every maximum of the panel is a sample of that server, and nothing but its CPU was read."""
    for row in panel.itertuples():
        assert row.metric == "cpu" and row.server_id in cpu
        assert min(abs(row.max - value) for _, value in cpu[row.server_id]) < 0.02
    return True


@quick
@given(name=names, minutes=st.sampled_from([5, 15, 60]), seed=st.integers(0, 99), day=st.dates(date(2015, 1, 1),
       date(2025, 12, 31)).map(str), servers=st.lists(st.from_regex(r"[a-z]{2,6}-[1-9][0-9]?", fullmatch=True),
       min_size=1, max_size=3, unique=True))  # fmt: skip
def test_an_export_of_any_fleet_is_read(tmp_path_factory, name, minutes, seed, day, servers):
    cpu = exports.fleet(*servers, day=day, minutes=minutes, seed=seed)
    panel, quality = read(tmp_path_factory.mktemp("any"), exports.EXPORTS[name](cpu))
    if panel is not None:  # days up to the twelfth can be read in two ways in some of them
        assert exports.is_right(panel, quality, cpu=cpu)
    else:
        assert name == "windows_perfmon" or int(day[-2:]) <= 12


HOW = ["lost", "repeated", "shuffled", "blank", "cut", "gzip", "bom", "crlf", "twice"]


@quick
@given(name=st.sampled_from(LINES), seed=st.randoms(use_true_random=False), how=st.sampled_from(HOW))
def test_lines_that_are_lost_repeated_or_out_of_order_make_no_wrong_value(tmp_path_factory, name, seed, how):
    cpu = exports.fleet()
    files = {}
    document = False
    for file, text in exports.EXPORTS[name](cpu).items():
        lines = text.splitlines()
        document |= text.lstrip()[:1] in "{[" and lines[0].strip() in "{["
        head, body = (lines[:6], lines[6:])
        if how == "lost":
            body = [line for line in body if seed.random() > 0.3]
        elif how == "repeated":
            body += seed.sample(body, len(body) // 3)
        elif how == "shuffled" and not name.startswith("sysstat"):
            seed.shuffle(body)
        elif how == "blank":
            body = [one for line in body for one in (line, "")]
        elif how == "twice":
            body += head + body
        text = ("\r\n" if how == "crlf" else "\n").join(head + body) + "\n"
        text = text[: seed.randrange(len(text))] if how == "cut" else text
        content = ("\ufeff" if how == "bom" else "").encode() + text.encode()
        files[file] = gzip.compress(content) if how == "gzip" else content
    panel, _ = read(tmp_path_factory.mktemp("lines"), files)
    if panel is not None and how != "cut":
        assert only_true_values(panel, cpu)
    # A line too many makes one JSON document another one, or none; what follows sar's averages has no header.
    if how in ("gzip", "bom") or (how == "repeated" and not document and name != "sysstat_text"):
        assert panel is not None


@quick
@given(some=st.lists(names, min_size=1, max_size=4, unique=True), noise=st.binary(min_size=1, max_size=30),
       places=st.lists(st.floats(0, 1), min_size=1, max_size=5))  # fmt: skip
def test_bytes_of_noise_are_survived(tmp_path_factory, some, noise, places):
    files = {"good.csv": exports.wide(exports.fleet("good-1"))["fleet.csv"]}
    for name in some:
        for file, text in exports.EXPORTS[name](exports.fleet()).items():
            content = bytearray(text if isinstance(text, bytes) else text.encode())
            for place in places:
                at = int(place * len(content))
                content[at : at + len(noise)] = noise
            files[f"{name}/{file}"] = bytes(content)
    panel, _ = read(tmp_path_factory.mktemp("noise"), files)
    assert "good-1" in set(panel["server_id"])


KEYS = """
MetricDataResults Label Timestamps Values Datapoints Timestamp data result metric values resultType matrix timeSeries
points series pointlist value timespan sysstat hosts results columns attributes group_tags times histdata
"""
documents = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=4),
    max_leaves=12,
)


@quick
@given(some=st.lists(documents, min_size=1, max_size=6))
def test_json_of_any_shape_is_refused_with_a_reason(tmp_path_factory, some):
    files = {f"{number}.json": json.dumps(document) for number, document in enumerate(some)}
    panel, quality = read(tmp_path_factory.mktemp("json"), files | exports.wide(exports.fleet("good-1")))
    assert set(panel["server_id"]) == {"good-1"}
    assert {file["file"] for file in quality["files"] if file["error"]} == set(files)


HEADINGS = """
timestamp,time,date,host,vm,name,metric,value,cpu,cpu_idle,memory [%],disk,mount,unit,network_in,cpu cores,core,note,
"""
CELLS = """
2024-02-13 00:00|13/02/2024|1707829500|a|web-1|cpu|5|0.5|5,5|99%|1.2 MB/s||NaN|KB/s|-1|1e400|"|é
"""
RULES = [
    None, "metric: cpu", "entities: busiest", "units: {cpu: ratio}", "timezone: Europe/Berlin",
    "sources: [{match: '*', where: {host: a}}]", "columns: {note: server_id, core: entity}",
]  # fmt: skip
headings = st.lists(st.sampled_from(HEADINGS.strip("\n").split(",")), min_size=1, max_size=6)
rows = st.lists(st.lists(st.sampled_from(CELLS.strip("\n").split("|")), min_size=1, max_size=7), max_size=12)
tables = st.tuples(headings, rows, st.sampled_from(",;\t"))


@quick
@given(some=st.lists(tables, min_size=1, max_size=4), rules=st.sampled_from(RULES))
def test_tables_of_any_headings_and_cells_are_survived(tmp_path_factory, some, rules):
    files = {"good/b-1.csv": exports.wide(exports.fleet("b-1"))["fleet.csv"]}
    for number, (header, rows, mark) in enumerate(some, 1):
        files[f"web-{number}.csv"] = "\n".join(mark.join(row) for row in [header, *rows])
    panel, _ = read(tmp_path_factory.mktemp("wild"), files, rules)
    if panel is not None:
        assert panel.query("metric in ('cpu', 'memory', 'disk')")["max"].between(0, 100).all()


@pytest.mark.parametrize("name", LINES)
def test_two_values_for_one_moment_never_pass_in_silence(tmp_path, name):
    one, other = exports.fleet(seed=1), exports.fleet(seed=2, level=60)
    files = exports.EXPORTS[name](one)
    for file, text in exports.EXPORTS[name](other).items():
        lines = text.splitlines()
        first = next((place for place, line in enumerate(lines) if any(mark in line for mark in ("2024", "17078"))), 0)
        files[file] += "\n" + "\n".join(lines[first:])
    panel, quality = read(tmp_path, files)
    assert panel is None or all(file["error"] for file in quality["files"])
