"""OpenAPI 3.1 of what is served, made of the models of the documents and the table of routes.

``openapi()`` makes the document once, at the start of the server. The examples in ``pages/`` are what a night
makes of a small account statement; they stand in the text as they are, so that their amounts keep two decimals.
"""

import json
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from schemas.documents import DOCUMENTS
from serving import errors
from serving.routes import ANSWER_HEADERS, OPEN_ROUTES, REQUEST_HEADERS, ROUTES, OpenRoute, Parameter, Route

Json = dict[str, Any]

PAGES = Path(__file__).parent / "pages"
_SCHEMA = "#/components/schemas/{model}"
_DESCRIPTION = """\
Claims (*krav*) that Skatteetaten has on a part, and what the part has paid and been paid.

**Access.** An access token from Maskinporten with the scope `skatteetaten:kravogbetalinger`, and the part's consent: \
in the token's `authorization_details`, or as an Altinn consent token in the header `AltinnSamtykke`. Or the token of \
a system user that Altinn permits to read the part's claims, its own or a client's, where the agreement is for that; \
when Altinn cannot be asked, KB-002.

**Figures** are kroner with exactly two decimals, signed as in the ledger: what the part owes is positive, what it is \
owed negative, and remaining = original + the sum of what is placed. They are those of the night before; \
`Snapshot-Date` says which.

**Days** are Norwegian, written `YYYY-MM-DDT00:00:00.000Z`: their first ten characters are the day.

**Again and often.** Send the `ETag` back in `If-None-Match`: 304 while the document is the same. HEAD is answered as \
GET without its body. `Accept-Encoding: zstd` or `gzip` makes answers small. `RateLimit` tells how much may be \
asked within how many seconds; a document of thousands of posts counts as several requests.

Several errors at once: the code is the first that applies of 405, KB-003, KB-006, KB-008, KB-004, KB-010, KB-005, \
KB-009, KB-002, KB-007, 412. To a caller without rights to a part, a part that exists and one that doesn't look the \
same."""

_ERROR_HEADERS = {
    401: {"WWW-Authenticate": "`Bearer`, and what was wrong with the token"},
    405: {"Allow": "The methods that are answered"},
    429: {
        "Retry-After": "Seconds until the consumer may ask again",
        "RateLimit": ANSWER_HEADERS["RateLimit"],
        "RateLimit-Policy": ANSWER_HEADERS["RateLimit-Policy"],
    },
    503: {"Retry-After": "Seconds after which it may be worth asking again"},
}
_FORMATS = {
    "Snapshot-Date": {"format": "date"},
    "Extracted-At": {"format": "date-time"},
    "Retry-After": {"pattern": "^[0-9]+$"},
}
_BEYOND_THE_CODES = {
    errors.METHOD_NOT_ALLOWED: "method not served; the header Allow says which are",
    errors.URL_TOO_LONG: "URL longer than is read",
    errors.HEADERS_TOO_LARGE: "headers larger than are read",
    errors.PRECONDITION_FAILED: "the document is another than the one in If-Match",
    errors.VERSION_NOT_SUPPORTED: "a version of HTTP that is not spoken",
}


class Feil(BaseModel):
    """An error: its code, a plain sentence, and the id of the request."""

    kode: Literal[tuple(errors.STATUS)] = Field(description="The code; what it means stands with each answer")  # type: ignore[valid-type]
    melding: str = Field(description="What was wrong, without personal data")
    korrelasjonsid: str = Field(description="The caller's Korrelasjonsid or a new one, as in the header")


class _AsServed(GenerateJsonSchema):
    """The models as they are served: an amount is a number, and what is null is left out."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        return {"type": "number"}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def openapi() -> bytes:
    """The whole document, as JSON."""
    text = json.dumps(_document(), ensure_ascii=False, separators=(",", ":"))
    for kind in DOCUMENTS:
        text = text.replace(f'"{_placeholder(kind)}"', example(kind))
    return text.encode()


def example(kind: str) -> str:
    """The worked example of a kind of document, as JSON text with two decimals in every amount."""
    return (PAGES / f"{kind}.json").read_text("utf-8").strip()


def _placeholder(kind: str) -> str:
    return f"the example of {kind} stands here"


def _document() -> Json:
    paths = {route.template: {"get": _operation(route)} for route in ROUTES}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Kravoversikt", "version": version("kravoversikt"), "description": _DESCRIPTION},
        "tags": [
            {"name": "dokumenter", "description": "The four documents of a part"},
            {"name": "drift", "description": "The service itself; needs no token and tells nothing of anyone"},
        ],
        "paths": paths | {route.path: {"get": _open_operation(route)} for route in OPEN_ROUTES},
        "components": {"schemas": _schemas(), "securitySchemes": _SECURITY_SCHEMES},
    }


_SECURITY_SCHEMES = {
    "maskinporten": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Access token from Maskinporten with the scope skatteetaten:kravogbetalinger; the part's "
        "consent stands in its authorization_details (urn:altinn:consent), or a system user that Altinn permits "
        "(urn:altinn:systemuser), or the consent in the header AltinnSamtykke",
    },
    "altinnSamtykke": {
        "type": "apiKey",
        "in": "header",
        "name": "AltinnSamtykke",
        "description": "Altinn consent token for the part asked for, when the access token doesn't carry the consent",
    },
}
_SECURITY: list[Json] = [{"maskinporten": []}, {"maskinporten": [], "altinnSamtykke": []}]


def _schemas() -> Json:
    """Every model by its name, and the parameters that are one of a few words."""
    models = [(model, "validation") for model in (*DOCUMENTS.values(), Feil)]
    _, schemas = models_json_schema(models, schema_generator=_AsServed, ref_template=_SCHEMA)  # type: ignore[arg-type]
    enums = {
        _named(one): {"type": "string", "enum": list(one.values), "description": one.description}
        for route in ROUTES
        for one in (*route.path, *route.query)
        if one.values
    }
    of_models: Json = schemas["$defs"]
    return enums | of_models


def _named(one: Parameter) -> str:
    """The name of the schema of a parameter that has one of its own."""
    return one.name.capitalize()


def _operation(route: Route) -> Json:
    return {
        "operationId": route.name,
        "tags": ["dokumenter"],
        "summary": route.summary,
        "security": _SECURITY,
        "parameters": [_parameter(one) for one in (*route.path, *route.query, *REQUEST_HEADERS)],
        "responses": {
            "200": _document_answer(route),
            "304": {"description": "The document is the one that the caller has", "headers": _headers("ETag")},
            **_error_answers(route),
        },
    }


def _document_answer(route: Route) -> Json:
    schema = {"$ref": _SCHEMA.format(model=DOCUMENTS[route.kind].__name__)}
    return {
        "description": DOCUMENTS[route.kind].__doc__,
        "headers": _headers(*ANSWER_HEADERS),
        "content": {"application/json": {"schema": schema, "example": _placeholder(route.kind)}},
    }


def _parameter(one: Parameter) -> Json:
    """A header's pattern is told and not required: a value beside it is left unused, not refused."""
    schema: Json = {"type": "string"}
    description = one.description
    if one.values:
        schema = {"$ref": _SCHEMA.format(model=_named(one))}
    if one.format:
        schema["format"] = one.format
    if one.pattern and one.place == "header":
        description += f" (`{one.pattern}`)"
    elif one.pattern:
        schema["pattern"] = one.pattern
    return {
        "name": one.name,
        "in": one.place,
        "required": one.required,
        "description": description,
        "schema": schema,
        "example": one.example,
    }


def _headers(*names: str, **told: str) -> Json:
    """Headers that are on every such answer."""
    described = {name: ANSWER_HEADERS[name] for name in ("Korrelasjonsid", *names)} | told
    return {
        name: {"description": text, "required": True, "schema": {"type": "string"} | _FORMATS.get(name, {})}
        for name, text in described.items()
    }


def _error_answers(route: Route) -> Json:
    """The route's errors by status, each code with its meaning as a named example."""
    meanings = [(code.kode, code.status, code.when) for code in errors.CODES if code.kode in route.errors]
    meanings += [(kode, status, when) for (kode, status), when in _BEYOND_THE_CODES.items()]
    answers: Json = {}
    for kode, status, when in sorted(meanings, key=lambda meaning: (meaning[1], meaning[0])):
        answer = answers.setdefault(str(status), _error_answer(status))
        answer["content"]["application/json"]["examples"][kode] = {
            "summary": when,
            "value": {"kode": kode, "melding": when, "korrelasjonsid": REQUEST_HEADERS[0].example},
        }
    return answers


def _error_answer(status: int) -> Json:
    return {
        "description": HTTPStatus(status).phrase,
        "headers": _headers(**_ERROR_HEADERS.get(status, {})),
        "content": {"application/json": {"schema": {"$ref": _SCHEMA.format(model="Feil")}, "examples": {}}},
    }


_UNWELL = {"/health/ready": "Nothing to serve", "/health/live": "A worker hangs"}


def _open_operation(route: OpenRoute) -> Json:
    media_type = route.media_type.partition(";")[0]
    schema = {"type": "object"} if media_type == "application/json" else {"type": "string"}
    answer = {"headers": _headers(), "content": {media_type: {"schema": schema}}}
    responses = {"200": {"description": "As asked for", **answer}}
    if route.path in _UNWELL:
        responses["503"] = {"description": _UNWELL[route.path], **answer}
    return {
        "operationId": route.path.strip("/").replace("/", "-").replace(".", "-"),
        "tags": ["drift"],
        "summary": route.summary,
        "security": [],
        "responses": responses,
    }
