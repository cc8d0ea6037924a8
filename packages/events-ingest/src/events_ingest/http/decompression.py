"""Decompresses bodies up to a limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import brotli
import zstandard

_MAX_WINDOW_BYTES = 8 * 1024 * 1024  # RFC 9659: the window that zstd decoders on the web accept
_ZSTD_STEP = 64
"""Bytes decompressed at a time, the only way to limit zstd: a 4-byte block becomes 128 KiB."""
_MAX_STREAMS = 64
_ENDS_EARLY = "the body ends before its compressed stream does"


class NotDecompressed(Exception):
    """Raised when a body is not in the format of its Content-Encoding, or is truncated."""


class DecompressedTooLong(Exception):
    """Raised when a decompressed body exceeds the limit; it was not decompressed much further."""


def decompress(body: bytes, encoding: str, *, limit: int) -> bytes:
    """Return `body` decompressed from `encoding`, one of `ENCODINGS`, to at most `limit` bytes.

    Raises `NotDecompressed` and `DecompressedTooLong`. It needs at most `limit` bytes of memory;
    zstd also needs 8 MiB for its window and 2 MiB for one step beyond the limit.
    """
    try:
        inflated = _DECOMPRESSORS[encoding](body, limit)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise NotDecompressed(f"the body is not valid {encoding}: {error}") from None
    if len(inflated) > limit:
        raise DecompressedTooLong
    return inflated


def _identity(body: bytes, limit: int) -> bytes:  # noqa: ARG001  # the body is in memory already
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    """Decompress one member after another, as RFC 1952 allows."""
    return _concatenated(body, limit, lambda rest, left: _inflate(rest, left, 16 + zlib.MAX_WBITS))


def _deflate(body: bytes, limit: int) -> bytes:
    """Decompress the zlib format, which RFC 9110 calls deflate."""
    inflated, rest = _inflate(body, limit, zlib.MAX_WBITS)
    if rest:
        raise NotDecompressed("the body has bytes after its deflate stream")
    return inflated


def _inflate(body: bytes, limit: int, window: int) -> tuple[bytes, bytes]:
    """Return at most `limit` + 1 bytes of the first stream in `body`, and the bytes after it."""
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
    """Return the first frame in `body`, cut off soon after `limit`, and the bytes after it."""
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
    """Decompress at most `_MAX_STREAMS` streams, since even empty ones take time."""
    pieces: list[bytes] = []
    left = limit
    for _ in range(_MAX_STREAMS):
        piece, body = decompress_first(body, left)
        pieces.append(piece)
        left -= len(piece)
        if not body or left < 0:
            return b"".join(pieces)
    raise NotDecompressed(f"the body has more than {_MAX_STREAMS} compressed streams")


_DECOMPRESSORS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "identity": _identity,
    "gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
ENCODINGS = tuple(_DECOMPRESSORS)
