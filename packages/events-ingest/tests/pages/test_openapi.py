from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import BaseSchema, Case, HookContext, Response, SerializationContext
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from starlette.applications import Starlette

from events_ingest import NotAcknowledged, ServeSettings
from events_ingest.http.responses import Attempt, EventPlace, RejectedEvent
from events_ingest.pages.openapi import openapi
from events_schema import Contract
from events_schema.errors import FieldError
from ingest_support.collector_app import VALID, FailingProducer, ask, collector, post
from ingest_support.contracts import CONTRACT, SHOP, ShopEvent

KEY = "a-services-key"
KEYED = ServeSettings(token=(KEY,))
ANONYMOUS = ServeSettings(allow_anonymous=True)


# --- the document ---


KEPT = Path(__file__).parents[4] / "tests" / "kept" / "openapi.json"


@pytest.mark.parametrize("contract", [CONTRACT, SHOP], ids=["default", "shop"])
@pytest.mark.parametrize("given", [ANONYMOUS, KEYED], ids=["anonymous", "keyed"])
def test_the_document_is_valid(given: ServeSettings, contract: Contract[Any]) -> None:
    """The document is OpenAPI 3.1, examples and schemas included."""
    OpenAPIV31SpecValidator(openapi(given, contract)).validate()


def test_of_the_default_contract_it_is_what_it_was() -> None:
    """Only its texts have changed: descriptions, summaries and the messages of examples."""
    document = openapi(KEYED, CONTRACT)
    for field in posted(document).values():
        assert field["description"]
    kept = json.loads(KEPT.read_text("utf-8"))
    document["info"]["version"] = kept["info"]["version"]

    # The members must be in the same order, too.
    assert json.dumps(without_texts(document)) == json.dumps(without_texts(kept))


def without_texts(part: Any) -> Any:
    """A part of a document without its texts for people."""
    if isinstance(part, list):
        return [without_texts(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        name: without_texts(member)
        for name, member in part.items()
        if name not in ("description", "summary", "message") or not isinstance(member, str)
    }


def test_own_fields_are_described() -> None:
    """Each own field is a property of the posted event, in its order, with a description."""
    fields = posted(openapi(KEYED, SHOP))
    own = list(SHOP.own_types)

    assert [name for name in fields if name in own] == own
    assert fields["plan"]["description"] == ShopEvent.model_fields["plan"].description
    assert all(fields[name]["description"] for name in own)


def posted(document: dict[str, Any]) -> dict[str, Any]:
    """The properties of a posted event."""
    properties: dict[str, Any] = document["components"]["schemas"]["PostedEvent"]["properties"]
    return properties


def test_the_document_is_served() -> None:
    """`/openapi.json` returns the document."""
    response = ask(collector(), "GET", "/openapi.json")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == openapi(ANONYMOUS, CONTRACT)


@pytest.mark.parametrize("given", [ANONYMOUS, KEYED], ids=["anonymous", "keyed"])
def test_every_error_has_the_one_schema(given: ServeSettings) -> None:
    """Each status from 400 on, of each operation, refers to the shared error schema."""
    document = openapi(given, CONTRACT)
    references = {
        document["components"]["responses"][response["$ref"].rpartition("/")[2]]["content"][
            "application/json"
        ]["schema"]["$ref"]
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
        for status, response in operation["responses"].items()
        if int(status) >= 400
    }

    assert references == {"#/components/schemas/Error"}


def test_each_status_is_listed_where_it_can_occur() -> None:
    """Posting lists every status that the collector can answer; without keys, two cannot occur."""
    posted = {200, 400, 401, 403, 408, 413, 415, 422, 429, 431, 500, 503}

    for path in ("/track", "/batch"):
        for given, expected in ((KEYED, posted), (ANONYMOUS, posted - {401, 403})):
            responses = openapi(given, CONTRACT)["paths"][path]["post"]["responses"]
            assert set(map(int, responses)) == expected


def test_the_answers_have_the_members_of_their_types() -> None:
    """The schemas of answers have the same members as the types in the code."""
    schemas = openapi(ANONYMOUS, CONTRACT)["components"]["schemas"]
    named = {name: set(schema.get("properties", ())) for name, schema in schemas.items()}

    assert named["Error"] == {"error", "request_id", *Attempt.__annotations__}
    assert named["FieldError"] == set(FieldError.__annotations__)
    assert named["EventPlace"] == set(EventPlace.__annotations__)
    assert named["RejectedEvent"] == set(RejectedEvent.__annotations__)


def test_the_answer_about_a_batch_in_doubt_is_as_described() -> None:
    """A 503 lists the outcome of each event, in the documented format."""
    document = openapi(ANONYMOUS, CONTRACT)
    schema = {"$ref": "#/components/schemas/Error", "components": document["components"]}

    app = collector(FailingProducer(NotAcknowledged("Kafka is silent"), first=1))
    response = post(app, [VALID, VALID, {}], "/batch")

    assert response.status_code == 503
    Draft202012Validator(schema).validate(response.json())
    assert {"event_ids", "acknowledged", "unacknowledged", "rejected"} <= set(response.json())


def test_limits_and_metrics_are_those_of_the_settings() -> None:
    """The document has the configured limits, and no metrics if they have their own port."""
    document = openapi(
        ServeSettings(allow_anonymous=True, max_batch_events=7, metrics_port=9000), CONTRACT
    )

    assert document["components"]["schemas"]["Events"]["maxItems"] == 7
    assert "/metrics" not in document["paths"]
    assert "/metrics" in openapi(ANONYMOUS, CONTRACT)["paths"]


# --- the page ---


class References(HTMLParser):
    """Collects the addresses that a page refers to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        """Store addresses."""
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def test_the_page_needs_no_other_host() -> None:
    """Everything that `/docs` refers to is served here, and its policy allows nothing else."""
    app = collector()

    page = ask(app, "GET", "/docs")
    references = [httpx.URL(each) for each in References(page.text).found]

    assert page.status_code == 200
    assert {"docs/swagger-ui-bundle.js", "docs/swagger-ui.css"} <= set(map(str, references))
    assert "//" not in page.text
    assert "http" not in page.headers["content-security-policy"]
    for reference in references:
        assert reference.is_relative_url
        assert not reference.host
        asset = ask(app, "GET", f"/{reference}")
        assert asset.status_code == 200
        assert asset.content


def test_the_page_shows_the_document() -> None:
    """The page's script reads the document with a relative URL."""
    script = ask(collector(), "GET", "/docs/start.js")

    assert script.headers["content-type"].startswith("text/javascript")
    assert 'url: "openapi.json"' in script.text


# --- the collector compared with its document ---


@schemathesis.serializer("application/x-ndjson")
def one_a_line(_: SerializationContext, value: Any) -> bytes:
    """The lines of an array; anything else is one line."""
    if isinstance(value, bytes):
        return value
    values = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(each).encode() for each in values)


# The usual ones, and 413 for more than `maxItems`.
REFUSALS = [400, 405, 413, 415, 422]

# Why the collector may refuse an event that fits the schema.
BEYOND_SCHEMA = frozenset(
    (
        "event_time_window",  # the window moves
        "event_time_range",  # the rule is about the time in UTC
        "event_time_format",  # 31 April and the year 0 do not exist
        "int_type",  # in JSON Schema, `3.0` is an integer
        "string_nul",  # the schema of a text does not yet have this rule
    )
)


def filter_failure(
    context: HookContext, failure: Failure, case: Case[Any], response: Response
) -> bool:
    """Ignore a failure if the collector is right but the schema cannot express it."""
    if "positive_data_acceptance" in failure.checks:
        fields = response.json()["error"]["fields"]
        return not fields or any(each["code"] not in BEYOND_SCHEMA for each in fields)
    if "negative_data_rejection" in failure.checks:
        return not refuses(response)
    return True


def refuses(response: Response) -> bool:
    """Whether a part of the body was refused: the valid events of a batch are stored."""
    return response.status_code in REFUSALS or b'"rejected":[{' in response.content


def load(app: Starlette) -> BaseSchema:
    """The document that `app` serves, with the exclusions."""
    checks = {"negative_data_rejection": {"expected-statuses": REFUSALS}}
    config = schemathesis.Config.from_dict({"checks": checks})
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    schema.hook(filter_failure)
    return schema


bounded = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@load(collector(max_batch_events=5)).parametrize()
@bounded
def test_the_collector_does_what_the_document_says(case: Case[Any]) -> None:
    """Valid requests are accepted, invalid ones refused, and every answer is as documented."""
    response = case.call_and_validate()

    # Schemathesis considers any text valid `text/plain`; here it is JSON with the same schema.
    meta = case.meta
    if case.media_type == "text/plain" and meta and meta.is_negative_at(ParameterLocation.BODY):
        assert refuses(response)


@load(collector(contract=SHOP)).include(path="/track", method="POST").parametrize()
@bounded
def test_a_collector_of_another_contract_does_what_its_document_says(case: Case[Any]) -> None:
    """Own fields are accepted and refused as their schemas say."""
    case.call_and_validate()


@load(collector(token=(KEY,), allow_anonymous=False)).include(method="POST").parametrize()
@settings(bounded, max_examples=10)
def test_the_collector_needs_the_keys_that_the_document_says(case: Case[Any]) -> None:
    """Requests with a key are answered as documented, and those without one with 401."""
    case.call_and_validate(headers={"X-Token": KEY})
