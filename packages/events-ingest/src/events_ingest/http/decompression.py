"""Decompressing bodies, no further than the limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import brotli
import zstandard

_MAX_WINDOW_BYTES = 8 * 1024 * 1024  # RFC 9659: what a zstd decoder on the web must take
_ZSTD_STEP = 64
"""So many bytes at a time: a block of 4 bytes becomes 128 KiB, and there is no other limit."""
_MAX_STREAMS = 64
_ENDS_EARLY = "the body ends within its compressed stream"


class NotDecompressed(Exception):
    """Raised when a body is not what its Content-Encoding says, or ends too early."""


class DecompressedTooLong(Exception):
    """Raised when a body would be longer than the limit; not much more was decompressed."""


def decompress(body: bytes, encoding: str, *, limit: int) -> bytes:
    """Return `body` without its `encoding`, one of `ENCODINGS`, in at most `limit` bytes.

    Raises `NotDecompressed` and `DecompressedTooLong`. Memory is bounded: by `limit`, and with
    zstd by its window and one step beyond the limit, 8 MiB and 2 MiB.
    """
    try:
        inflated = _DECOMPRESSORS[encoding](body, limit)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise NotDecompressed(f"the body is no {encoding}: {error}") from None
    if len(inflated) > limit:
        raise DecompressedTooLong
    return inflated


def _identity(body: bytes, limit: int) -> bytes:  # noqa: ARG001  # the body is there already
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    """Inflate one member after another, as RFC 1952 allows."""
    return _concatenated(body, limit, lambda rest, left: _inflate(rest, left, 16 + zlib.MAX_WBITS))


def _deflate(body: bytes, limit: int) -> bytes:
    """Inflate what RFC 9110 calls deflate: the zlib format."""
    inflated, rest = _inflate(body, limit, zlib.MAX_WBITS)
    if rest:
        raise NotDecompressed("the body goes on after its deflate stream")
    return inflated


def _inflate(body: bytes, limit: int, window: int) -> tuple[bytes, bytes]:
    """Return at most `limit` + 1 bytes of the stream that `body` starts with, and what follows."""
    stream = zlib.decompressobj(window)
    inflated = stream.decompress(body, limit + 1)
    if len(inflated) <= limit and not stream.eof:
        raise NotDecompressed(_ENDS_EARLY)
    return inflated, stream.unused_data


def _brotli(body: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    inflated = bytes(stream.process(body, output_buffer_limit=limit + 1))
    while len(inflated) <= limit and not stream.is_finished():
        more = stream.process(b"", output_buffer_limit=limit + 1 - len(inflated))
        if not more:
            raise NotDecompressed(_ENDS_EARLY)
        inflated += more
    return inflated


def _zstd(body: bytes, limit: int) -> bytes:
    """Decompress one frame after another, as RFC 8878 allows."""
    return _concatenated(body, limit, _zstd_frame)


def _zstd_frame(body: bytes, limit: int) -> tuple[bytes, bytes]:
    """Return the frame that `body` starts with, cut off soon after `limit`, and what follows."""
    frame = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
    pieces: list[bytes] = []
    length = 0
    for start in range(0, len(body), _ZSTD_STEP):
        pieces.append(frame.decompress(body[start : start + _ZSTD_STEP]))
        length += len(pieces[-1])
        if frame.eof:
            return b"".join(pieces), frame.unused_data + body[start + _ZSTD_STEP :]
        if length > limit:
            return b"".join(pieces), b""
    raise NotDecompressed(_ENDS_EARLY)


def _concatenated(
    body: bytes, limit: int, decompress_first: Callable[[bytes, int], tuple[bytes, bytes]]
) -> bytes:
    """Decompress one stream after another: at most so many, since each costs even if empty."""
    pieces: list[bytes] = []
    left = limit
    for _ in range(_MAX_STREAMS):
        piece, body = decompress_first(body, left)
        pieces.append(piece)
        left -= len(piece)
        if not body or left < 0:
            return b"".join(pieces)
    raise NotDecompressed(f"the body is more than {_MAX_STREAMS} compressed streams")


_DECOMPRESSORS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "identity": _identity,
    "gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
ENCODINGS = tuple(_DECOMPRESSORS)
