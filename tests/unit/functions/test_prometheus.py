"""Prometheus as a source: what is asked, what is believed, and whom credentials are shown."""

from __future__ import annotations

import gzip
import json
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import Quiet, serving

import collect
import collectors
import prometheus
from collectors import ConfigurationError, PrometheusSource, SourceError
from tests.unit.functions.sources import Collecting

START = datetime(2026, 6, 1, tzinfo=UTC)
END = START + timedelta(hours=1)
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prometheus-AbCdEf"
CPU = {"metric": "cpu", "query": "avg by (instance) (usage)", "unit": "ratio"}


@dataclass
class Server:
    """A Prometheus: what it was asked, and how it answers."""

    answer: Callable[[dict[str, str]], tuple[int, dict[str, str], bytes]]
    address: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def read(self, **more: Any) -> list[str]:
        """The lines of a slice's file."""
        config = configured(url=self.address, **more)
        packed = prometheus.opened(config, "all", "p", "us-east-1").read(
            (START.isoformat(), END.isoformat()), START, END, END
        )
        return [] if packed is None else gzip.decompress(packed).decode().splitlines()


def configured(**more: Any) -> PrometheusSource:
    body = {"source": "prometheus", "dataset": "fleet", "url": "https://p.example.com", "queries": [CPU]} | more
    config = collectors.parse(json.dumps(body).encode())
    assert isinstance(config, PrometheusSource)
    return config


def series(labels: dict[str, str], values: list[Any]) -> dict[str, Any]:
    return {"metric": labels, "values": values}


def matrix(*found: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(found)}}


def whole(given: dict[str, str]) -> dict[str, Any]:
    """As Prometheus answers: a point at every step, both ends included."""
    at, last, step = (int(given[name]) for name in ("start", "end", "step"))
    points = [[moment, "0.5"] for moment in range(at, last + 1, step)]
    return matrix(series({"instance": "web-1:9100"}, points), series({"instance": "[2001:db8::1]:9100"}, points))


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server(lambda given: (200, {}, json.dumps(whole(given)).encode()))

    class Handler(Quiet):
        def do_POST(self) -> None:
            told.asked.append(dict(urllib.parse.parse_qsl(self.body().decode())) | {"path": self.path})
            told.headers.append(dict(self.headers.items()))
            status, headers, answer = told.answer(told.asked[-1])
            self.answer(status, answer, headers)

        do_GET = do_POST

    with serving(Handler) as address:
        told.address = f"{address}/prom/"
        yield told


def test_a_query_is_asked_for_a_span_and_answered_in_percent(server):
    lines = server.read()
    assert server.asked == [
        {
            "path": "/prom/api/v1/query_range",
            "query": CPU["query"],
            "start": "1780272000",
            "end": "1780275300",
            "step": "300",
            "timeout": "90s",
        }
    ]
    assert lines[0] == "timestamp,server_id,cpu [%]"
    assert lines[-1] == "2026-06-01T00:55:00Z,web-1,50"
    assert len(lines) == 25


def test_queries_of_several_metrics_are_one_row_a_moment(server):
    queries = [CPU, {"metric": "network_in", "query": "x", "unit": "bits_per_second"},
               {"metric": "memory", "query": "y", "unit": "ratio_free"}]  # fmt: skip
    lines = server.read(queries=queries)
    assert lines[0] == "timestamp,server_id,cpu [%],memory [%],network_in [MB/s]"
    assert lines[-1] == "2026-06-01T00:55:00Z,web-1,50,50,0"


def test_nothing_measured_is_no_file(server):
    server.answer = lambda _: (200, {}, json.dumps(matrix()).encode())
    assert server.read() == []
    server.answer = lambda _: (200, {}, json.dumps(matrix(series({"instance": "a"}, [[1780272000, "NaN"]]))).encode())
    assert server.read() == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            {"status": "error", "errorType": "bad_data", "error": "parse error: \x1b[31munexpected"},
            "parse error: [31munex",
        ),
        ({"status": "success", "data": {"resultType": "vector", "result": []}}, "not answered with a matrix"),
        ({"status": "success"}, "not answered with a matrix"),
        ([], "is refused"),
        (matrix() | {"warnings": ["store gone"]}, "answered in part"),
        (matrix(series({"node": "a"}, [[1780272000, "1"]])), "without the label 'instance'"),
        (matrix(series({"instance": ":9100"}, [[1780272000, "1"]])), "label 'instance' is empty"),
        (matrix(series({"instance": "a"}, [[1780272000, "many"]])), "not numbers"),
        (matrix(series({"instance": "a"}, [[1780272000]])), "not numbers"),
        (matrix(series({"instance": "a"}, [[0, "1"]])), "a moment that was not asked for"),
        (matrix(series({"instance": "a"}, [[1780275600, "1"]])), "a moment that was not asked for"),
        (
            matrix(*(series({"instance": "a", "cpu": cpu}, [[1780272000, cpu]]) for cpu in "12")),
            "several series for 'a': aggregate it",
        ),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused_with_the_reason(server, answer, told):
    server.answer = lambda _: (200, {}, json.dumps(answer).encode())
    with pytest.raises(SourceError) as refused:
        server.read()
    assert told in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>Sign in</html>", "is not JSON, but begins with '<html>Sign in"),
        (b"", "is not JSON"),
        (b"\xff\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_json_is_refused(server, body, told):
    server.answer = lambda _: (200, {}, body)
    with pytest.raises(SourceError, match="is not JSON") as refused:
        server.read()
    assert told in str(refused.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["success", "matrix", "1780272000"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "data", "result", "resultType", "metric", "values", "instance"]), inner
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=300)
@given(answer=JSON, result=st.lists(JSON, max_size=3))
def test_whatever_is_answered_there_are_samples_or_a_reason(answer, result):
    query = configured().queries[0]
    for one in (answer, {"status": "success", "data": {"resultType": "matrix", "result": result}}):
        try:
            for server, moment, _ in prometheus.values(one, query, START, END):
                assert server and START <= moment < END
        except SourceError as error:
            assert str(error).isprintable()


def test_an_error_of_the_server_is_told_of_in_short(server):
    server.answer = lambda _: (503, {}, b"upstream\nis down " + b"x" * 5000)
    with pytest.raises(SourceError, match="status 503: upstream is down") as refused:
        server.read()
    assert len(str(refused.value)) < 400


def test_a_redirect_is_not_followed(server):
    other = "http://127.0.0.1:9/"
    for status in (301, 302, 307, 308):
        server.answer = lambda _, status=status: (status, {"Location": other}, b"")
        with pytest.raises(SourceError, match=f"status {status}, a redirect, which is not followed"):
            server.read()


def test_an_answer_that_is_too_large_is_given_up(server, monkeypatch):
    monkeypatch.setattr(prometheus, "LARGEST", 1000)
    server.answer = lambda _: (200, {}, b" " * 5000)
    with pytest.raises(SourceError, match="more than 0 MB: lower slice_hours"):
        server.read()


def test_an_answer_that_comes_byte_by_byte_is_given_up(monkeypatch):
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr(prometheus.time, "monotonic", lambda: next(clock))
    with pytest.raises(SourceError, match="more than 90 seconds: lower slice_hours"):
        prometheus._read(mock.Mock(read1=lambda _: b" "))


def test_queries_that_are_slow_together_are_given_up_before_the_function_ends(server, monkeypatch):
    monkeypatch.setattr(prometheus, "SLICE_SECONDS", -1)
    with pytest.raises(SourceError, match="the queries of one slice take more than -1 seconds: lower slice_hours"):
        server.read()
    assert server.asked == []


def test_a_server_that_is_not_there_is_an_error_of_the_source():
    service = Collecting()
    settings = {"source": "prometheus", "url": "http://127.0.0.1:9", "queries": [CPU], "backfill_days": 1}
    service.set_up(**settings)
    for _ in range(3):
        assert service.tick() == 0
    (letter,) = service.world.letters
    assert "Connection refused" in letter["Message"]


def test_it_is_collected_day_by_day_and_goes_on_where_it_stopped(server):
    service = Collecting()
    service.set_up(source="prometheus", url=server.address, queries=[CPU], backfill_days=3)
    assert service.tick() == 3
    service.wait(hours=24)
    assert service.tick() == 1
    stamps = sorted(row["timestamp"] for row in service.rows() if row["server_id"] == "web-1")
    assert len(set(stamps)) == len(stamps) == 4 * 288


def shown(auth: str, text: str, **more: Any) -> dict[str, str]:
    """The headers that a credential becomes."""
    client = mock.Mock(get_secret_value=mock.Mock(return_value={"SecretString": text}))
    with mock.patch.object(collectors.boto3, "client", return_value=client):
        source = prometheus.opened(configured(auth=auth, secret_arn=SECRET, **more), "all", "p", "us-east-1")
    assert text not in repr(source)
    return dict(source.headers)


def test_credentials_come_from_the_secret():
    assert shown("bearer", "t0ken\n") == {"Authorization": "Bearer t0ken"}
    assert shown("bearer", '{"token": "t0ken"}') == {"Authorization": "Bearer t0ken"}
    pair = json.dumps({"username": "me", "password": "w0rd"})
    assert shown("basic", pair) == {"Authorization": "Basic bWU6dzByZA=="}


def test_a_secret_that_says_where_it_belongs_is_shown_to_no_other_host():
    text = json.dumps({"token": "t0ken", "host": "p.example.com"})
    assert shown("bearer", text) == {"Authorization": "Bearer t0ken"}
    with pytest.raises(SourceError, match=r"another host than p\.example\.com\.evil"):
        shown("bearer", text, url="https://p.example.com.evil/")
    with pytest.raises(SourceError, match="another host than evil"):
        shown("bearer", text, url="https://evil:443/p.example.com")


@pytest.mark.parametrize(
    "text", ["", '{"token": ""}', '{"other": "x"}', '{"token": "a\\r\\nHost: evil"}', "tökén", "[1]"]
)
def test_a_secret_that_is_none_is_refused_without_showing_it(text):
    with pytest.raises(SourceError) as refused:
        shown("bearer", text)
    assert "evil" not in str(refused.value)
    assert "tökén" not in str(refused.value)


def test_amazons_own_is_asked_with_a_signature():
    with mock.patch.dict("os.environ", AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="s"):
        body, address = b"query=up", "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/query_range"
        headers = prometheus._signed(address, body, {"Content-Type": "application/x-www-form-urlencoded"}, "eu-west-1")
    assert "/eu-west-1/aps/aws4_request" in headers["Authorization"]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"url": "ftp://p"}, "url is not an address"),
        ({"url": "https://me:w0rd@p"}, "url holds a password"),
        ({"url": "http://p", "auth": "sigv4"}, "url is not encrypted"),
        ({"auth": "bearer"}, "secret_arn belongs to"),
        ({"secret_arn": SECRET}, "secret_arn belongs to"),
        ({"step_minutes": 7}, "does not divide an hour"),
        ({"queries": []}, "queries: "),
        ({"queries": [CPU | {"unit": "bytes_per_second"}]}, "cpu is not measured in bytes_per_second"),
        ({"queries": [CPU | {"server_label": "a b"}]}, "queries.0.server_label: "),
        ({"source": "graphite"}, "'graphite'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(change, told):
    with pytest.raises(ConfigurationError) as refused:
        configured(**change)
    assert told in str(refused.value)
    assert "w0rd" not in str(refused.value)


def test_a_slice_and_its_last_answer_end_before_the_function_does():
    assert collect.RESERVE.total_seconds() > prometheus.SLICE_SECONDS + prometheus.TIMEOUT
