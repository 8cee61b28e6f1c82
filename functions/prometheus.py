"""Prometheus as a source: range queries of the settings, answered by Prometheus, Thanos, Mimir or Amazon's managed one.

What comes back is believed only as far as it fits the question: the kind of answer, the moments, one series a server.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from collectors import PrometheusQuery, PrometheusSource, SourceError, secret, slices
from samples import ConflictError, Samples, clean

# Seconds for one answer, and its bytes: a day of 1,000 series in five minutes is some 8 MB.
TIMEOUT, LARGEST = 90, 128 * 2**20
# Seconds after which no further query of a slice is asked: with the last answer it ends before the function does.
SLICE_SECONDS = 180
_SHOWN = 300  # characters of an answer that a message repeats
_HEADER = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that points elsewhere is an error: credentials go to the address of the settings and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def scopes(config: PrometheusSource, own_region: str) -> dict[str, None]:
    """It is collected as a whole."""
    return {"all": None}


@dataclass(frozen=True)
class Opened:
    """A server that can be asked. The headers may hold a credential: they are in no message and no log."""

    config: PrometheusSource
    headers: Mapping[str, str] = field(repr=False)
    own_region: str

    def parts(self, since: datetime, until: datetime, now: datetime) -> list[Any]:
        """The span in slices of a file each, as JSON."""
        return slices(since, until, timedelta(hours=self.config.slice_hours))

    def price(self, part: Any, since: datetime, until: datetime, now: datetime) -> int:
        """Nothing that is counted."""
        return 0

    def read(self, part: Any, since: datetime, until: datetime, now: datetime) -> bytes | None:
        """A slice's file; None where nothing was measured."""
        found = Samples()
        start, end = datetime.fromisoformat(part[0]), datetime.fromisoformat(part[1])
        last = time.monotonic() + SLICE_SECONDS
        for query in self.config.queries:
            if time.monotonic() > last:
                raise SourceError(f"the queries of one slice take more than {SLICE_SECONDS} seconds: lower slice_hours")
            answer = self._asked(query, start, end)
            for server, moment, value in values(answer, query, start, end):
                try:
                    found.add_once(server, moment, query.metric, value)
                except ConflictError as error:
                    raise SourceError(
                        f"the query for {query.metric} gives several series for {server!r}: aggregate it, such as "
                        f"avg by ({query.server_label}) (…)"
                    ) from error
        return found.packed()

    def _asked(self, query: PrometheusQuery, start: datetime, end: datetime) -> Any:
        step = timedelta(minutes=self.config.step_minutes)
        # Prometheus counts both ends in: the last moment is the next slice's first.
        given = {
            "query": query.query,
            "start": f"{start.timestamp():.0f}",
            "end": f"{(end - step).timestamp():.0f}",
            "step": f"{step.total_seconds():.0f}",
            "timeout": f"{TIMEOUT}s",
        }
        address = f"{self.config.url.rstrip('/')}/api/v1/query_range"
        body = urllib.parse.urlencode(given).encode()
        headers = {**_HEADER, **self.headers}
        if self.config.auth == "sigv4":
            headers = _signed(address, body, headers, self.config.region or self.own_region)
        return fetched(address, body, headers, self.config.ca_certificates)


def opened(config: PrometheusSource, scope: str, collector: str, own_region: str) -> Opened:
    """The server, with the credential that the settings name."""
    headers = {}
    if config.auth == "bearer":
        headers["Authorization"] = f"Bearer {secret(config.secret_arn, ('token',), config.host)['token']}"
    elif config.auth == "basic":
        keys = secret(config.secret_arn, ("username", "password"), config.host)
        pair = base64.b64encode(f"{keys['username']}:{keys['password']}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return Opened(config, headers, own_region)


def fetched(address: str, body: bytes, headers: Mapping[str, str], ca_certificates: str | None) -> Any:
    """The JSON that an address answers with, within bounds of time and size.

    Raises:
        SourceError: it answers something else, or points elsewhere.
        OSError: it does not answer.
    """
    context = ssl.create_default_context(cadata=ca_certificates)
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _NoRedirect(),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(address, data=body, headers=dict(headers), method="POST")  # noqa: S310
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            text = _read(answer)
    except urllib.error.HTTPError as error:
        said = clean(error.read(2_000).decode(errors="replace"))[:_SHOWN]
        where = ", a redirect, which is not followed: give the address it leads to" if 300 <= error.code < 400 else ""
        raise SourceError(f"the server answers with status {error.code}{where}: {said or error.reason}") from None
    except http.client.HTTPException as error:
        raise SourceError(f"the server does not answer as HTTP says ({type(error).__name__})") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"the answer is not JSON, but begins with {clean(_text(text))[:60]!r}") from error


def _read(answer: Any) -> bytes:
    """An answer's body. However slowly it comes, byte by byte, it ends in time."""
    body, end = bytearray(), time.monotonic() + TIMEOUT
    while piece := answer.read1(2**20):
        body += piece
        if len(body) > LARGEST:
            raise SourceError(
                f"an answer has more than {LARGEST // 2**20} MB: lower slice_hours or aggregate the query"
            )
        if time.monotonic() > end:
            raise SourceError(f"an answer takes more than {TIMEOUT} seconds: lower slice_hours or aggregate the query")
    return bytes(body)


def values(
    answer: Any, query: PrometheusQuery, start: datetime, end: datetime
) -> Iterator[tuple[str, datetime, float]]:
    """Server, moment and value of each point of an answer, in the data contract's unit; those that are NaN are none.

    Raises:
        SourceError: it is not a whole answer to this question.
    """
    about = f"the query for {query.metric}"
    if not isinstance(answer, dict) or answer.get("status") != "success":
        said = answer.get("error", answer) if isinstance(answer, dict) else answer
        raise SourceError(f"{about} is refused: {clean(str(said))[:_SHOWN]}")
    if warnings := answer.get("warnings"):
        raise SourceError(f"{about} is answered in part, or not as it was meant: {clean(str(warnings))[:_SHOWN]}")
    data = answer.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        raise SourceError(f"{about} is not answered with a matrix, as a range query is")
    for series in data["result"]:
        try:
            server = clean(_without_port(series["metric"][query.server_label]))
            points = [(float(at), float(value)) for at, value in series["values"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SourceError(
                f"{about} gives a series without the label {query.server_label!r}, or values that are not numbers: "
                f"{clean(str(series))[:_SHOWN]}"
            ) from error
        if not server:
            raise SourceError(f"{about} gives a series whose label {query.server_label!r} is empty")
        for at, value in points:
            if not start.timestamp() <= at < end.timestamp():
                raise SourceError(f"{about} is answered with a moment that was not asked for ({at:.0f})")
            if value == value and abs(value) != float("inf"):
                yield server, datetime.fromtimestamp(at, UTC), query.in_contract(value)


def _without_port(label: str) -> str:
    """``web-1`` of ``web-1:9100``."""
    host, colon, port = label.rpartition(":")
    return host if colon and port.isdigit() and ":" not in host else label


def _signed(address: str, body: bytes, headers: Mapping[str, str], region: str) -> dict[str, str]:
    """The headers with a signature of Amazon Managed Service for Prometheus."""
    request = AWSRequest("POST", address, headers=dict(headers), data=body)
    credentials: Any = boto3.Session().get_credentials()
    SigV4Auth(credentials, "aps", region).add_auth(request)
    return dict(request.headers.items())


def _text(body: bytes) -> str:
    return body[:200].decode(errors="replace")
