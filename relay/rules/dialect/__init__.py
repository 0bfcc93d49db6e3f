"""What an identity provider wrote, understood: raw SCIM JSON in, a `Write` in normal form out.

In charge of every dialect of `idp-dialects.md` (forms U1 to U25, G1 to G26 and section 4),
detected by *shape*, never by configuration: one Entra tenant sends two dialects. Carries A5
(passwords end here), A6 (what can never succeed is refused now) and the rule that a removal of
named members never empties a group (G5). Malformed input raises `relay.errors.Refused` with status
400 and nothing else, whatever the JSON. An attribute that TFE does not keep never fails a request:
what cannot be understood of it is dropped and named in `Write.dropped`.

`bodies` reads whole resources, `operations` reads PATCH, `members` rosters, `values` values.
"""

from __future__ import annotations

from relay.rules.dialect.bodies import parse_create, parse_replace
from relay.rules.dialect.operations import parse_patch

__all__ = ["parse_create", "parse_patch", "parse_replace"]
