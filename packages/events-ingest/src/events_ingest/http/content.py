"""Checks the Content-Type and Content-Encoding of a body."""

from __future__ import annotations

from http import HTTPStatus

from events_ingest.http.decompression import ENCODINGS
from events_ingest.http.head import RequestHead
from events_ingest.http.responses import ApiError

NDJSON = "application/x-ndjson"
JSON_TYPES = frozenset(("application/json", "text/plain"))
"""JSON, also as `text/plain`, which a page can send without a preflight request (`sendBeacon`)."""
BATCH_TYPES = JSON_TYPES | {NDJSON}


def check_content(head: RequestHead, allowed: frozenset[str]) -> tuple[str, str]:
    """Return the body's media type and content coding, both in lower case.

    A body without a type is JSON. Raises `ApiError` (415) if the type is not in `allowed`, the
    charset is not UTF-8, or the coding is not supported.
    """
    encoding = head.text(b"content-encoding", "identity").strip().lower()
    if encoding not in ENCODINGS:
        raise _unsupported(f"send a Content-Encoding of {', '.join(ENCODINGS)}", allowed)
    media_type, *parameters = head.text(b"content-type", "application/json").lower().split(";")
    media_type = media_type.strip()
    if media_type not in allowed:
        raise _unsupported(f"send a Content-Type of {', '.join(sorted(allowed))}", allowed)
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise _unsupported("send charset=utf-8, or no charset", allowed)
    return media_type, encoding


def _unsupported(what: str, allowed: frozenset[str]) -> ApiError:
    return ApiError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        f"the type or coding of the body is not supported; {what}",
        headers={"Accept": ", ".join(sorted(allowed)), "Accept-Encoding": ", ".join(ENCODINGS)},
    )
