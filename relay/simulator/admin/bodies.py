"""JSON:API requests: the attributes out of a body, and what each must be.

Malformed JSON is a 400; a body without attributes, or of the wrong types, is a 422 (contract,
*Admin API*). `type` is not looked at: HashiCorp's clients leave it empty or make it plural.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import orjson

from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.rules.types import Json, JsonObject
    from relay.simulator.accounts import Account
    from relay.simulator.log import Arrival
    from relay.simulator.tfe import Tfe

Outcome: TypeAlias = "tuple[int, JsonObject | None]"
"""Status and document; None for no body."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody who may make it.

    Attributes:
        tfe: the stand-in.
        arrival: the request.
        caller: whose token it came with.
    """

    tfe: Tfe
    arrival: Arrival
    caller: Account

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.arrival.method

    def body(self) -> Json:
        """The body as JSON.

        Raises:
            ScimError: 400, it is none.
        """
        try:
            parsed: Json = orjson.loads(self.arrival.body)
        except orjson.JSONDecodeError as error:
            raise ScimError(400, f"Malformed JSON: {error}") from error
        return parsed

    def attributes(self) -> JsonObject:
        """`data.attributes` of the body.

        Raises:
            ScimError: 400 no JSON, 422 no attributes.
        """
        body = self.body()
        data = body.get("data") if isinstance(body, dict) else None
        attributes = data.get("attributes") if isinstance(data, dict) else None
        if not isinstance(attributes, dict):
            raise ScimError(422, "Missing attributes: the body must have data.attributes")
        return attributes

    def wrong_method(self) -> ScimError:
        """TFE has no route for it: a 404, as for a path that is not there."""
        return ScimError(404, f"{self.method} {self.arrival.path} is not there")


def boolean(attributes: JsonObject, name: str) -> bool:
    """A boolean attribute.

    Raises:
        ScimError: 422, it is missing or something else.
    """
    value = attributes.get(name)
    if not isinstance(value, bool):
        raise ScimError(422, f"{name} must be a boolean")
    return value


def text(attributes: JsonObject, name: str) -> str:
    """A string attribute with something in it.

    Raises:
        ScimError: 422, it is missing or something else.
    """
    value = attributes.get(name)
    if not isinstance(value, str) or not value:
        raise ScimError(422, f"{name} must be a string that is not empty")
    return value


def optional_text(attributes: JsonObject, name: str) -> str | None:
    """A string attribute, or None for null, the empty string and nothing.

    Raises:
        ScimError: 422, it is something else.
    """
    return text(attributes, name) if attributes.get(name) not in (None, "") else None
