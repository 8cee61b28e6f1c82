"""PostgreSQL as a source, with a real server: its own port and folder, TLS with an authority of its own."""

from __future__ import annotations

import datetime
import gzip
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pg8000.native
import pytest
from serving import certificate

import collectors
import postgresql
from collectors import PostgreSQLSource, SourceError
from local.cloud import free_port

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
START = datetime.datetime(2026, 6, 1, tzinfo=UTC)
QUERY = """
    SELECT measured AS "timestamp", host AS server_id, cpu, mem AS memory, team AS business_unit
    FROM usage WHERE measured >= :since AND measured < :until -- a remark
"""


def identity(folder: Path) -> str:
    """The server's files for TLS; its certificate, which signs itself, as PEM."""
    both = certificate(folder, "localhost").read_text()
    pem = both[both.index("-----BEGIN CERTIFICATE-----") :]
    (folder / "server.crt").write_text(pem)
    (folder / "server.key").write_text(both.removesuffix(pem))
    return pem


@dataclass
class Server:
    """A running server and the way to it."""

    port: int
    authority: str

    def run(self, sql: str, **values: Any) -> Any:
        with pg8000.native.Connection(
            "owner", host="127.0.0.1", port=self.port, password="of all", database="postgres"
        ) as link:
            return link.run(sql, **values)

    def settings(self, **more: Any) -> dict[str, Any]:
        known = {"source": "postgresql", "dataset": "fleet", "host": "localhost", "port": self.port}
        known |= {"database": "postgres", "secret_arn": SECRET, "ca_certificates": self.authority, "query": QUERY}
        return known | more

    def read(self, hours: int = 24, **more: Any) -> list[dict[str, str]]:
        """The rows of a slice that begins at ``START``."""
        config = collectors.parse(json.dumps(self.settings(**more)).encode())
        assert isinstance(config, PostgreSQLSource)
        until = START + timedelta(hours=hours)
        part = (START.isoformat(), until.isoformat())
        packed = postgresql.Opened(config, "reader", "s3cret word").read(part, START, until, until)
        if packed is None:
            return []
        head, *lines = gzip.decompress(packed).decode().splitlines()
        return [dict(zip(head.split(","), line.split(","), strict=True)) for line in lines]


def program(name: str) -> str:
    """Where a program of PostgreSQL's is: Debian keeps most of them beside the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    place = str(found[-1]) if found else shutil.which(name)
    if place is None:
        pytest.fail("PostgreSQL is not installed: apt-get install postgresql (.ci/run does)")
    return place


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that ends with the tests. PostgreSQL does not run as root; then it runs as its own user."""
    folder = Path(tempfile.mkdtemp(prefix="headroom-postgresql-"))
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    as_user: dict[str, Any] = (
        {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    data, password = folder / "data", folder / "password"
    authority = identity(folder)
    password.write_text("of all")
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
        path.chmod(0o700 if path.is_dir() else 0o600)
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    init = [
        program("initdb"),
        "--pgdata",
        str(data),
        "--username",
        "owner",
        "--pwfile",
        str(password),
        "--encoding",
        "UTF8",
    ]
    init += ["--auth", "scram-sha-256", "--no-sync"]
    subprocess.run(init, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL, **as_user)
    port = free_port()
    given = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off",
             "ssl": "on", "ssl_cert_file": folder / "server.crt", "ssl_key_file": folder / "server.key"}  # fmt: skip
    options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program("postgres"), "-D", str(data), *options],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            **as_user,
        )
    try:
        started = Server(port, authority)
        for attempt in range(100):
            try:
                started.run("SELECT 1")
                break
            except pg8000.native.Error:
                assert attempt < 99 and process.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
        started.run("CREATE TABLE usage (measured timestamptz, host text, cpu numeric, mem float8, team text)")
        started.run("CREATE TABLE devices (server_id text PRIMARY KEY, first_seen timestamptz, last_seen timestamptz, "
                    "criticality text, vcpus int, room text)")  # fmt: skip
        started.run("CREATE ROLE reader LOGIN PASSWORD 's3cret word'")
        started.run("GRANT SELECT, INSERT, UPDATE ON usage, devices TO reader")
        yield started
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown
        process.wait(timeout=30)
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _fresh(server: Server) -> None:
    """Two days of two hosts."""
    server.run("TRUNCATE usage, devices")
    server.run(
        "INSERT INTO usage SELECT at, host, 41.5, CASE host WHEN 'web-1' THEN 63 END, 'shop' "
        "FROM generate_series(CAST(:start AS timestamptz), CAST(:last AS timestamptz), '5 minutes') AS at, "
        "unnest(ARRAY['web-1', 'web-2']) AS host",
        start=START,
        last=START + timedelta(days=2),
    )


def test_a_span_is_read_with_its_first_moment_and_without_its_last(server: Server) -> None:
    rows = server.read()
    assert len(rows) == 2 * 288
    first = {"timestamp": "2026-06-01T00:00:00Z", "server_id": "web-1", "cpu [%]": "41.5", "memory [%]": "63"}
    assert rows[0] == first | {"business_unit": "shop"}
    assert rows[-1].items() >= {"timestamp": "2026-06-01T23:55:00Z", "server_id": "web-2", "memory [%]": ""}.items()
    assert server.read(query=QUERY.replace("-- a remark", "; ")) == rows
    assert server.read(query=QUERY.replace("FROM usage WHERE", "FROM usage WHERE false AND")) == []


def test_what_the_database_calls_no_number_is_left_empty(server: Server) -> None:
    server.run("UPDATE usage SET cpu = 'NaN', mem = '-Infinity' WHERE host = 'web-1'")
    rows = server.read()
    assert {(row["server_id"], row["cpu [%]"]) for row in rows} == {("web-2", "41.5")}
    assert "memory [%]" not in rows[0]


def test_devices_are_registered_and_what_is_known_of_them_is_read_back(server: Server) -> None:
    server.run("INSERT INTO devices VALUES ('web-1', '2026-06-20Z', '2026-06-20Z', 'high', 8, 'cellar')")
    rows = server.read(register_table="public.devices")
    assert rows[0].items() >= {"business_unit": "shop", "criticality": "high", "vcpus": "8"}.items()
    assert "room" not in rows[0]
    known = server.run("SELECT server_id, first_seen, last_seen FROM devices ORDER BY server_id")
    assert known == [
        ["web-1", START, datetime.datetime(2026, 6, 20, tzinfo=UTC)],
        ["web-2", START, START + timedelta(hours=23, minutes=55)],
    ]
    assert server.read(register_table="public.devices") == rows, "again, after something died"
    assert len(server.run("SELECT * FROM devices")) == 2


def test_a_query_can_only_read(server: Server) -> None:
    inside = QUERY.replace("SELECT", "WITH gone AS (DELETE FROM usage RETURNING 1) SELECT")
    behind = "SELECT 1) AS a; DELETE FROM usage; SELECT :since, :until FROM (SELECT 1"
    server.run("CREATE OR REPLACE FUNCTION deletes() RETURNS text LANGUAGE sql AS 'DELETE FROM usage; SELECT ''x'''")
    called = "SELECT now() AS timestamp, deletes() AS server_id WHERE :since < :until"
    server.run("GRANT DELETE ON usage TO reader")
    for query in (inside, behind, called):
        with pytest.raises(SourceError, match="refuses"):
            server.read(query=query)
    assert server.run("SELECT count(*) FROM usage") == [[2 * (2 * 288 + 1)]]


def test_only_a_server_that_proves_who_it_is_gets_the_password(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="certificate verify failed"):
        server.read(ca_certificates=None)
    with pytest.raises(OSError, match="certificate verify failed"):
        server.read(ca_certificates=identity(tmp_path))
    with pytest.raises(OSError, match="IP address mismatch"):
        server.read(host="127.0.0.1")


def test_a_server_without_tls_is_refused(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def refuse() -> None:
            link, _ = plain.accept()
            with link:
                link.recv(8)  # SSLRequest
                link.sendall(b"N")
                heard.append(link.recv(1000))

        heard: list[bytes] = []
        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(SourceError, match="cannot be reached: Server refuses SSL"):
            server.read(port=plain.getsockname()[1])
        thread.join(10)
    assert heard == [b""], "it was told neither user nor password"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("AS memory", "AS mem"), "columns that are not known (mem)"),
        (("host AS server_id,", ""), "no column server_id"),
        (("measured AS", "measured AT TIME ZONE 'UTC' AS"), "a timestamp without a time zone"),
        (("measured AS", "measured + interval '1 day' AS"), "must select timestamp >= :since and timestamp < :until"),
        (("host AS", "NULL::text AS"), "a server_id that is not a text"),
        (("cpu,", "'a lot' AS cpu,"), "a cpu that is not a number ('a lot')"),
        (("host AS", "'web' AS"), "two values of memory for 'web'"),
        (("FROM usage", "FROM nothing"), 'relation "nothing" does not exist (42P01)'),
        (("cpu,", "cpu, cpu,"), "a column twice"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused_with_the_reason(server: Server, change: Any, told: str) -> None:
    if "two values" in told:
        server.run("UPDATE usage SET mem = CASE host WHEN 'web-1' THEN 1 ELSE 2 END")
    with pytest.raises(SourceError) as refused:
        server.read(query=QUERY.replace(*change))
    assert told in str(refused.value)
    assert "s3cret word" not in str(refused.value)


def test_too_much_for_one_file_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "MOST_ROWS", 575)
    with pytest.raises(SourceError, match="lower slice_hours"):
        server.read()


def test_a_query_that_takes_too_long_is_stopped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "STATEMENT_SECONDS", 1)
    with pytest.raises(SourceError, match="statement timeout"):
        server.read(query="SELECT now() AS timestamp, CAST(pg_sleep(20) AS text) AS server_id WHERE :since < :until")


def test_a_wrong_password_is_told_of_without_it(server: Server) -> None:
    config = collectors.parse(json.dumps(server.settings()).encode())
    assert isinstance(config, PostgreSQLSource)
    part = (START.isoformat(), (START + timedelta(hours=1)).isoformat())
    with pytest.raises(SourceError, match="password authentication failed") as refused:
        postgresql.Opened(config, "reader", "another w0rd").read(part, START, START, START)
    assert "another w0rd" not in str(refused.value)


def test_a_database_that_is_down_is_told_of(server: Server) -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        server.read(port=1)


def test_user_and_password_come_from_the_secret(server: Server) -> None:
    config = collectors.parse(json.dumps(server.settings()).encode())
    assert isinstance(config, PostgreSQLSource)
    answer = {"SecretString": json.dumps({"username": "reader", "password": "s3cret word", "engine": "postgres"})}
    client = mock.Mock(get_secret_value=mock.Mock(return_value=answer))
    with mock.patch.object(collectors.boto3, "client", return_value=client):
        source = postgresql.opened(config, "all", "db", "us-east-1")
    (part,) = source.parts(START, START + timedelta(days=1), START)
    assert source.read(part, START, START, START) is not None
    client.get_secret_value.assert_called_once_with(SecretId=SECRET)
