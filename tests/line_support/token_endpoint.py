"""An OAuth server on this machine: it gives out tokens that a broker accepts."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

CLIENT_ID = "collector"
CLIENT_SECRET = "right-token-battery"
SCOPE = "events"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class TokenEndpoint:
    """The endpoint. `keys` is the file with the key that a broker checks tokens with."""

    url: str
    keys: Path
    seconds: float = 300
    """How long its tokens are valid."""
    given: int = 0
    """How many tokens it gave out."""
    _key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def write_keys(self) -> None:
        """Write the public key as a JSON Web Key Set."""
        public = self._key.public_key().public_numbers()
        number, exponent = (
            _encoded(each.to_bytes((each.bit_length() + 7) // 8)) for each in (public.n, public.e)
        )
        key = {"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": number, "e": exponent}
        self.keys.write_text(json.dumps({"keys": [key]}))

    def answer(self, authorization: str, form: str) -> tuple[int, bytes]:
        """Return the status and the body for a request."""
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {expected}":
            return 401, b'{"error": "invalid_client"}'
        if parse_qs(form) != {"grant_type": ["client_credentials"], "scope": [SCOPE]}:
            return 400, b'{"error": "invalid_request"}'
        self.given += 1
        answer = {"access_token": self.token(), "token_type": "Bearer", "expires_in": self.seconds}
        return 200, json.dumps(answer).encode()

    def token(self) -> str:
        """Return a signed token."""
        now = int(time.time())
        claims = {"sub": CLIENT_ID, "iat": now, "exp": now + int(self.seconds), "scope": SCOPE}
        parts = [{"alg": "RS256", "kid": "1", "typ": "JWT"}, claims]
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), SHA256())
        return f"{signed}.{_encoded(signature)}"


@contextmanager
def token_endpoint(folder: Path) -> Iterator[TokenEndpoint]:
    """Serve an endpoint on a free port; its key set is in `folder`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, body = endpoint.answer(self.headers["Authorization"], form)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/token"
        endpoint = TokenEndpoint(url, folder / "jwks.json")
        endpoint.write_keys()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()
