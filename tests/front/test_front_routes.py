from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from relay.front.routes import Endpoint, Route, resolve
from relay.rules.types import Kind

if TYPE_CHECKING:
    from support.front_fakes import Site


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/scim/v2/Users", Route(Endpoint.COLLECTION, Kind.USER)),
        ("/scim/v2/Groups/", Route(Endpoint.COLLECTION, Kind.GROUP)),
        ("/scim/v2//Users", Route(Endpoint.COLLECTION, Kind.USER)),
        ("/scim/v2/Users/a%20b%2Fc", Route(Endpoint.RESOURCE, Kind.USER, "a b/c")),
        ("/scim/v2/Users/.search", Route(Endpoint.SEARCH, Kind.USER)),
        ("/scim/v2/.search", Route(Endpoint.SEARCH)),
        ("/scim/v2/ServiceProviderConfigs", Route(Endpoint.CONFIG)),
        ("/scim/v2/ResourceTypes/User", Route(Endpoint.RESOURCE_TYPES, id="User")),
        ("/scim/v2/users", Route(Endpoint.COLLECTION, Kind.USER)),
        ("/scim/v2/GROUPS/G1", Route(Endpoint.RESOURCE, Kind.GROUP, "G1")),
        ("/scim/v2/schemas", Route(Endpoint.SCHEMAS)),
        ("/scim/v2/Bulk", Route(Endpoint.NOT_BUILT)),
        ("/scim/v2/Me", Route(Endpoint.NOT_BUILT)),
        ("/scim/v2/Users/a/b", Route(Endpoint.UNKNOWN)),
        ("/scim/v2/Users/%FF", Route(Endpoint.RESOURCE, Kind.USER, "\ufffd")),
        ("/scim/v2", Route(Endpoint.UNKNOWN)),
        ("/scim/v2/", Route(Endpoint.UNKNOWN)),
        ("/scim/v20/Users", Route(Endpoint.UNKNOWN)),
        ("/Users", Route(Endpoint.UNKNOWN)),
        ("*", Route(Endpoint.UNKNOWN)),
    ],
)
def test_a_path_leads_to_its_endpoint(path, route):
    assert route == resolve(path, "/scim/v2")


def test_an_empty_base_path_puts_the_endpoints_at_the_root():
    assert resolve("/Users", "") == Route(Endpoint.COLLECTION, Kind.USER)


def test_the_label_of_a_route_has_no_id_in_it():
    route = resolve("/scim/v2/Users/secret", "/scim/v2")

    assert route.label("PATCH") == "PATCH /Users/{id}"
    assert route.label("X" * 50) == "OTHER /Users/{id}"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/Nowhere", 404, None),
        ("GET", "/Users/a/b", 404, None),
        ("POST", "/Bulk", 501, None),
        ("GET", "/Me", 501, None),
        ("DELETE", "/Users", 405, "GET, HEAD, POST"),
        ("POST", "/Users/1", 405, "DELETE, GET, HEAD, PATCH, PUT"),
        ("GET", "/.search", 405, "POST"),
        ("PUT", "/Schemas", 405, "GET, HEAD"),
        ("PATCH", "/ServiceProviderConfig", 405, "GET, HEAD"),
        ("OPTIONS", "/Groups", 405, "GET, HEAD, POST"),
        ("PURGE", "/Groups", 405, "GET, HEAD, POST"),
    ],
)
async def test_what_leads_nowhere_is_a_scim_error(site: Site, method, path, status, allow):
    response, body = await site.send(method, path)

    assert response.status == status
    assert body["status"] == str(status)
    assert response.headers["Content-Type"] == "application/scim+json; charset=utf-8"
    assert response.headers.get("Allow") == allow


async def test_provisioning_is_503_with_the_reason_until_tfe_took_the_token(site: Site):
    site.upstream.reason = "TFE has not accepted the token yet"

    response, body = await site.send("GET", '/Users?filter=userName%20eq%20"x"')
    config, _ = await site.send("GET", "/ServiceProviderConfig")

    assert response.status == 503
    assert body["detail"] == "TFE has not accepted the token yet"
    assert int(response.headers["Retry-After"]) > 0
    assert config.status == 200
    assert site.metrics.refusals == ["gate"]
