"""The checks before a body is read: key, origin, rate, type, and whether Kafka is available."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs

from events_ingest.access.authentication import Access, Authentication
from events_ingest.errors import BrokerUnavailable
from events_ingest.http.content import check_content
from events_ingest.http.head import RequestHead
from events_ingest.http.responses import ApiError, too_many_requests
from events_ingest.kafka.producer import EventProducer

_MAX_QUERY_FIELDS = 20


class Admission:
    """Admits a request, or raises the error to answer."""

    def __init__(self, authentication: Authentication, producer: EventProducer) -> None:
        self._authentication = authentication
        self._producer = producer

    def admit(
        self, head: RequestHead, query: bytes, allowed_types: frozenset[str]
    ) -> tuple[str, str]:
        """Return the media type and content coding of the request's body.

        Raises `ApiError` (401, 403, 429, 415) and `BrokerUnavailable`.
        """
        self.check_key(head, query)
        content = check_content(head, allowed_types)
        if not self._producer.ready:  # there is no point in reading the body
            raise BrokerUnavailable("Kafka is unavailable; send it again later")
        return content

    def check_key(self, head: RequestHead, query: bytes = b"") -> Access:
        """Count a use of the request's key, and return what the key allows.

        Raises `ApiError` (401, 403, 429).
        """
        access = self._authentication.authenticate(head.tokens, _query_key(query))
        if access is None:
            raise _unauthorized()
        _check_origin(access, head)
        wait = access.rate.take() if access.rate else 0
        if wait:
            raise too_many_requests(wait)
        return access


def _query_key(query: bytes) -> bytes | None:
    if not query:
        return None
    try:
        fields = parse_qs(query, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:  # too many fields for a request of a web page
        return None
    keys = fields.get(b"key", [])
    return keys[0] if len(keys) == 1 else None


def _check_origin(access: Access, head: RequestHead) -> None:
    if access.origins is not None and head.text(b"origin") not in access.origins:
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            "origin_not_allowed",
            "this key is for pages of other origins; post from one of its origins",
        )


def _unauthorized() -> ApiError:
    return ApiError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "the key is missing or wrong; send it as X-Token or Authorization: Bearer, or a web "
        "page's key as ?key=",
        headers={"WWW-Authenticate": 'Bearer realm="events"'},
    )
