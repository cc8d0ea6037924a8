"""The access log: a sample of the requests, by default without data about the client."""

from __future__ import annotations

from random import random
from typing import Any

import structlog

from events_ingest.http.head import RequestHead

log = structlog.get_logger()


class AccessLog:
    """Logs a `share` of requests, 0 to 1; address and user agent only with `log_clients`."""

    def __init__(self, share: float, *, log_clients: bool) -> None:
        self._share = share
        self._log_clients = log_clients

    def sampled(self) -> bool:
        """Return whether to log this request."""
        return random() < self._share  # noqa: S311  # not a secret

    def write(
        self,
        *,
        method: str,
        endpoint: str,
        status: int,
        seconds: float,
        request_id: str,
        head: RequestHead,
        client: Any,
    ) -> None:
        """Log a request. The query is left out, since it may contain a key."""
        about_client = {}
        if self._log_clients:
            address = client[0] if client else None
            about_client = {"client": address, "user_agent": head.text(b"user-agent")}
        log.info(
            "request",
            method=method,
            endpoint=endpoint,
            status=int(status),
            milliseconds=round(seconds * 1000, 1),
            request_id=request_id,
            **about_client,
        )
