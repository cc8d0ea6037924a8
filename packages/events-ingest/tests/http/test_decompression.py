"""Compressed bodies: data is restored, and memory stays near the limit."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from events_ingest.http.decompression import (
    ENCODINGS,
    DecompressedTooLong,
    NotDecompressed,
    decompress,
)

Compress = Callable[[bytes], bytes]
MIB = 1024 * 1024


def streamed(body: bytes) -> bytes:
    """`body` as a zstd frame without its length."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(body) + compressor.flush()


CODINGS: list[tuple[str, Compress]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("br", brotli.compress),
    ("zstd", zstandard.compress),
    ("zstd", streamed),
]
each_coding = pytest.mark.parametrize(("encoding", "compress"), CODINGS)


def test_the_codings_are_those_that_are_tested() -> None:
    """Every supported coding is tested here."""
    assert set(ENCODINGS) == {encoding for encoding, _ in CODINGS} | {"identity"}


@each_coding
@given(st.binary() | st.binary(min_size=1, max_size=8).map(lambda part: part * 1000))
def test_what_was_compressed_comes_back(encoding: str, compress: Compress, body: bytes) -> None:
    """A body of exactly the limit is restored; with a limit one byte lower it is refused."""
    compressed = compress(body)

    assert decompress(compressed, encoding, limit=len(body)) == body
    if body:
        with pytest.raises(DecompressedTooLong):
            decompress(compressed, encoding, limit=len(body) - 1)


def test_identity_is_left_as_it_is() -> None:
    """A body without coding is returned unchanged if it is within the limit."""
    assert decompress(b"abc", "identity", limit=3) == b"abc"
    with pytest.raises(DecompressedTooLong):
        decompress(b"abc", "identity", limit=2)


@each_coding
def test_a_bomb_stops_near_the_limit(encoding: str, compress: Compress) -> None:
    """For a bomb of 64 MiB, memory never exceeds the limit by much."""
    bomb = compress(bytes(64 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(DecompressedTooLong):
            decompress(bomb, encoding, limit=MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * MIB


@each_coding
@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_body_that_ends_early_is_refused(
    encoding: str, compress: Compress, body: bytes, data: st.DataObject
) -> None:
    """A truncated body is refused, wherever it is cut off."""
    compressed = compress(body)
    end = data.draw(st.integers(0, len(compressed) - 1))

    with pytest.raises(NotDecompressed):
        decompress(compressed[:end], encoding, limit=1000)


@each_coding
@given(st.binary(max_size=200))
def test_what_is_no_such_coding_is_refused_or_read(
    encoding: str, compress: Compress, body: bytes
) -> None:
    """Random bytes give either a result within the limit or one of the two errors."""
    with contextlib.suppress(NotDecompressed, DecompressedTooLong):
        assert len(decompress(body, encoding, limit=1000)) <= 1000


@each_coding
@pytest.mark.parametrize("garbage", [b"\0", b"garbage", bytes(100)])
@pytest.mark.parametrize("body", [b"", b"abc", b"a" * 100_000])
def test_what_follows_the_stream_is_refused(
    encoding: str, compress: Compress, garbage: bytes, body: bytes
) -> None:
    """A body with bytes after its compressed stream is refused."""
    with pytest.raises(NotDecompressed):
        decompress(compress(body) + garbage, encoding, limit=len(body))


@pytest.mark.parametrize(
    ("encoding", "compress"), [case for case in CODINGS if case[0] in ("gzip", "zstd")]
)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=64))
def test_concatenated_streams_are_one_body(
    encoding: str, compress: Compress, parts: list[bytes]
) -> None:
    """Concatenated gzip members and zstd frames are one body, with one limit."""
    compressed = b"".join(map(compress, parts))
    body = b"".join(parts)

    assert decompress(compressed, encoding, limit=len(body)) == body
    if body:
        with pytest.raises(DecompressedTooLong):
            decompress(compressed, encoding, limit=len(body) - 1)


@pytest.mark.parametrize(
    ("encoding", "compress"), [case for case in CODINGS if case[0] in ("gzip", "zstd")]
)
def test_too_many_streams_are_refused(encoding: str, compress: Compress) -> None:
    """The number of streams is limited, since empty ones add nothing to the length."""
    with pytest.raises(NotDecompressed):
        decompress(compress(b"") * 65, encoding, limit=1000)


def test_concatenated_deflate_is_refused() -> None:
    """The zlib format has only one stream."""
    with pytest.raises(NotDecompressed):
        decompress(zlib.compress(b"a") + zlib.compress(b"b"), "deflate", limit=1000)


def test_a_window_beyond_what_the_web_allows_is_refused() -> None:
    """A zstd frame cannot make its decoder hold more than 8 MiB."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    compressed = compressor.compress(b"abc") + compressor.flush()

    with pytest.raises(NotDecompressed):
        decompress(compressed, "zstd", limit=1000)
