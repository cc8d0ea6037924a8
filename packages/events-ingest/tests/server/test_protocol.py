"""The collector's HTTP from outside, byte by byte, with a test double as producer."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings

from bench.collector.http_load import http_request
from events_ingest import CollectorServer, ServeSettings, create_app
from events_loadgen.processes.waiting import wait_until
from events_schema import Contract
from events_schema.testing import bodies
from ingest_support.collector_app import RecordingProducer
from ingest_support.contracts import CONTRACT, SHOP

EVENT = {"user_id": 1, "app_name": "shop", "event_category": "product"}
BODY = json.dumps(EVENT).encode()
TRACK = http_request("/track", BODY)
SECONDS = 30


@contextmanager
def collector(
    contract: Contract[Any] = CONTRACT, **changes: Any
) -> Iterator[tuple[str, int, RecordingProducer]]:
    """The address of a collector with a test double as producer."""
    producer = RecordingProducer()
    given = {"allow_anonymous": True, "port": 0, **changes}
    settings = ServeSettings(**given)
    server = CollectorServer(settings, create_app(settings, producer, contract))
    with server.in_thread() as url:
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port), producer


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[str, int]]:
    """A collector shared by tests that do not change it."""
    with collector() as (host, port, _):
        yield host, port


def connect(address: tuple[Any, ...]) -> socket.socket:
    """A connection to a collector."""
    return socket.create_connection(address[:2], timeout=SECONDS)


class Answer:
    """An answer that was read."""

    def __init__(self, head: bytes, body: bytes) -> None:
        status_line, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status_line.split()[1])
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        self.body = body

    @property
    def code(self) -> str:
        """The error's code, checked for the common format."""
        said = json.loads(self.body)
        assert {"error", "request_id"} <= set(said)
        assert set(said["error"]) == {"code", "message", "retryable", "fields"}
        assert said["request_id"] == self.headers["x-request-id"]
        return str(said["error"]["code"])


class Reader:
    """Reads answers from a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def answer(self) -> Answer:
        """Return the next answer; fail if the connection ends before."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        answer = Answer(head, b"")
        length = int(answer.headers.get("content-length", 0))
        while len(self._buffer) < length:
            self._more()
        answer.body, self._buffer = self._buffer[:length], self._buffer[length:]
        return answer

    def _more(self) -> None:
        received = self._connection.recv(65536)
        assert received, f"the connection ended after {self._buffer!r}"
        self._buffer += received

    def at_end(self) -> bool:
        """Return whether the collector closed the connection, with nothing left to read."""
        try:
            return not self._buffer and self._connection.recv(1) == b""
        except ConnectionResetError:
            return True


def exchange(address: tuple[Any, ...], *pieces: bytes) -> Answer:
    """The answer to a request sent in `pieces`, each of which the collector receives separately."""
    with connect(address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces[:-1]:
            connection.sendall(piece)
            time.sleep(0.02)  # otherwise the pieces would arrive as one
        connection.sendall(pieces[-1])
        return Reader(connection).answer()


def test_a_request_in_one_piece_and_in_several_get_the_same_answer() -> None:
    """The fast lane and the application give the same answer and produce the same."""
    with collector() as (*address, producer):
        head, _, body = TRACK.partition(b"\r\n\r\n")
        answers = [
            exchange(tuple(address), TRACK),
            exchange(tuple(address), head + b"\r\n\r\n", body),
            exchange(tuple(address), *(TRACK[n : n + 40] for n in range(0, len(TRACK), 40))),
        ]
        assert [each.status for each in answers] == [200] * 3
        assert len({frozenset(each.headers) for each in answers}) == 1
        ids = [json.loads(each.body)["event_id"] for each in answers]
        assert [CONTRACT.decode(value).event_id for value in producer.values] == ids


@pytest.mark.parametrize("contract", [CONTRACT, SHOP], ids=["default", "shop"])
def test_any_body_gets_the_same_answer_in_both_lanes(contract: Contract[Any]) -> None:
    """For any body, both lanes give the same answer, and never a 5xx."""
    with collector(contract) as (*address, _):
        check = settings(max_examples=60)(given(bodies(contract))(_check_same_answer))
        check(tuple(address))


def _check_same_answer(address: tuple[Any, ...], body: bytes) -> None:
    request = http_request("/track", body)
    head = len(request) - len(body)
    with connect(address) as connection:
        reader = Reader(connection)
        connection.sendall(request)
        whole = reader.answer()
        connection.sendall(request[:head])
        connection.sendall(body)
        pieces = reader.answer()
    assert whole.status == pieces.status
    assert whole.status < 500
    if whole.status != 200:
        assert json.loads(whole.body)["error"] == json.loads(pieces.body)["error"]


def test_pipelined_requests_are_answered_in_order(shared: tuple[str, int]) -> None:
    """Requests sent at once are answered in order, whichever lane they take."""
    other = http_request("/track", b"[]")
    ready = b"GET /livez HTTP/1.1\r\nHost: c\r\n\r\n"
    with connect(shared) as connection:
        connection.sendall(TRACK + ready + TRACK + other + TRACK)
        reader = Reader(connection)
        assert [reader.answer().status for _ in range(5)] == [200, 200, 200, 400, 200]


def test_a_chunked_body_is_taken(shared: tuple[str, int]) -> None:
    """A body in chunks is accepted, even in chunks of one byte."""
    head = b"POST /track HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
    assert exchange(shared, head + chunks).status == 200
    assert exchange(shared, head, chunks[:50], chunks[50:]).status == 200


def test_a_body_that_is_expected_is_asked_for(shared: tuple[str, int]) -> None:
    """`Expect: 100-continue` is answered before the body arrives, or with a 413 instead."""
    with connect(shared) as connection:
        head = TRACK.replace(b"Host", b"Expect: 100-continue\r\nHost").partition(b"\r\n\r\n")[0]
        connection.sendall(head + b"\r\n\r\n")
        reader = Reader(connection)
        assert reader.answer().status == 100
        connection.sendall(BODY)
        assert reader.answer().status == 200


def test_an_upgrade_that_is_not_on_offer_is_passed_over(shared: tuple[str, int]) -> None:
    """A client that offers h2c is answered in HTTP/1.1 and keeps the connection."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nHost"
    with connect(shared) as connection:
        reader = Reader(connection)
        connection.sendall(TRACK.replace(b"Host", offer))
        assert reader.answer().status == 200
        connection.sendall(TRACK)
        assert reader.answer().status == 200


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_half_closed_connection_gets_its_answer(shared: tuple[str, int], pieces: int) -> None:
    """A client that has closed its sending side still gets its answer."""
    with connect(shared) as connection:
        for n in range(pieces):
            start, end = len(TRACK) * n // pieces, len(TRACK) * (n + 1) // pieces
            connection.sendall(TRACK[start:end])
        connection.shutdown(socket.SHUT_WR)
        reader = Reader(connection)
        assert reader.answer().status == 200
        assert reader.at_end()


def test_a_connection_is_closed_where_the_client_says_so(shared: tuple[str, int]) -> None:
    """`Connection: close` and HTTP/1.0 close the connection after the answer, which says so."""
    for request in (
        TRACK.replace(b"Host", b"Connection: close\r\nHost"),
        TRACK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        with connect(shared) as connection:
            connection.sendall(request)
            reader = Reader(connection)
            answer = reader.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert reader.at_end()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"GET\r\n\r\n",
        b"POST /track HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /track HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /track HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST http:// HTTP/1.1\r\nHost: c\r\n\r\n",
        b"CONNECT c:443 HTTP/1.1\r\nHost: c\r\n\r\n",
    ],
    ids=["tls", "line", "length", "smuggling", "chunks", "url", "proxy"],
)
def test_what_is_no_http_is_answered_400(shared: tuple[str, int], request_bytes: bytes) -> None:
    """An invalid request is answered 400 in the common format, and the connection is closed."""
    with connect(shared) as connection:
        connection.sendall(request_bytes)
        reader = Reader(connection)
        answer = reader.answer()
        assert (answer.status, answer.code) == (400, "bad_request")
        assert reader.at_end()


def test_garbage_behind_a_request_does_not_cost_its_answer() -> None:
    """A posted event is answered, whatever follows it on the connection."""
    with collector() as (*address, producer), connect(tuple(address)) as connection:
        connection.sendall(TRACK + b"\x00garbage\r\n\r\n")
        reader = Reader(connection)
        assert reader.answer().status == 200
        assert len(producer.values) == 1
        assert reader.at_end()


@pytest.mark.parametrize(
    "head",
    [
        b"POST /track HTTP/1.1\r\nHost: c\r\nX: " + b"x" * 10_000_000 + b"\r\n\r\n",
        b"POST /track HTTP/1.1\r\n" + b"X: yyyyyyyyyyyyyyyyyyyy\r\n" * 400_000 + b"\r\n",
        b"GET /" + b"x" * 10_000_000 + b" HTTP/1.1\r\nHost: c\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
    ],
    ids=["one header", "many headers", "url", "just over"],
)
def test_a_head_that_is_too_long_is_answered_431(shared: tuple[str, int], head: bytes) -> None:
    """A head over the limit is answered 431, and the rest of it is not kept."""
    with connect(shared) as connection:
        with suppress(ConnectionResetError, BrokenPipeError):  # it answers early
            connection.sendall(head)
        answer = Reader(connection).answer()
        assert (answer.status, answer.code) == (431, "head_too_large")


def test_every_piece_of_a_head_counts(shared: tuple[str, int]) -> None:
    """A head over the limit is refused even if each of its pieces is within the limit."""
    head = b"GET /livez HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n"
    answer = exchange(shared, head[:20_000], head[20_000:])
    assert (answer.status, answer.code) == (431, "head_too_large")


def test_a_head_within_the_limit_is_taken(shared: tuple[str, int]) -> None:
    """A head just below the limit is accepted, even in pieces."""
    request = TRACK.replace(b"Host", b"X: " + b"x" * 30_000 + b"\r\nHost")
    assert exchange(shared, request).status == 200
    assert exchange(shared, request[:20_000], request[20_000:]).status == 200


def test_slow_clients_are_let_go_and_others_served() -> None:
    """A head or body sent byte by byte is answered 408 once the time is up, not before."""
    with collector(header_timeout=0.5, body_timeout=0.5) as (*address, _):
        head, _, _ = TRACK.partition(b"\r\n\r\n")
        with connect(tuple(address)) as in_head, connect(tuple(address)) as in_body:
            in_body.sendall(head + b"\r\n\r\n{")
            answers: dict[str, Answer] = {}

            def drip() -> bool:
                for name, connection in (("head", in_head), ("body", in_body)):
                    if name not in answers:
                        connection.sendall(b"P" if name == "head" else b" ")
                        connection.settimeout(0.05)
                        with suppress(TimeoutError):
                            answers[name] = Reader(connection).answer()
                assert exchange(tuple(address), TRACK).status == 200
                return len(answers) == 2

            in_head.sendall(b"POST /track HTTP/1.1\r\nX: ")
            wait_until(drip, "two answers", seconds=SECONDS)
            assert (answers["head"].status, answers["head"].code) == (408, "head_timeout")
            assert (answers["body"].status, answers["body"].code) == (408, "body_timeout")


def test_an_idle_connection_is_closed_without_a_word() -> None:
    """An idle connection is closed without an answer, new or used."""
    with (
        collector(header_timeout=0.2, keep_alive=0.2) as (host, port, _),
        connect((host, port)) as fresh,
        connect((host, port)) as used,
    ):
        used.sendall(TRACK)
        reader = Reader(used)
        assert reader.answer().status == 200
        assert reader.at_end()
        assert Reader(fresh).at_end()


def test_one_connection_too_many_is_answered_503() -> None:
    """Over the limit of connections the answer is 503; once one closes, another is accepted."""
    with collector(max_connections=2) as (*address, _):
        with connect(tuple(address)) as first, connect(tuple(address)) as second:
            for connection in (first, second):
                connection.sendall(TRACK)
                assert Reader(connection).answer().status == 200
            with connect(tuple(address)) as third:
                answer = Reader(third).answer()
                assert (answer.status, answer.code) == (503, "too_many_connections")
                assert "retry-after" in answer.headers

        def taken() -> bool:
            return exchange(tuple(address), TRACK).status == 200

        wait_until(taken, "a place for another connection", seconds=SECONDS)


def test_a_body_that_is_too_long_is_answered_413_and_the_connection_lives_on(
    shared: tuple[str, int],
) -> None:
    """The client sees the 413, and can reuse the connection if the body was not much too long."""
    with connect(shared) as connection:
        reader = Reader(connection)
        connection.sendall(http_request("/track", b" " * 100_000))
        assert reader.answer().code == "body_too_large"
        connection.sendall(TRACK)
        assert reader.answer().status == 200
