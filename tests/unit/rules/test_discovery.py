"""What the relay says about itself."""

from __future__ import annotations

from relay.rules.contract import ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA
from relay.rules.dialect import parse_create
from relay.rules.discovery import resource_types, schemas, service_provider_config
from relay.rules.shadow import apply
from relay.rules.types import Kind

BASE = "https://relay.example/scim/v2"


def declared(urn: str) -> dict:
    schema = next(item for item in schemas(BASE) if item["id"] == urn)
    return {item["name"]: item for item in schema["attributes"]}


def test_authentik_reads_its_chunk_size_from_bulk():
    assert service_provider_config(BASE)["bulk"] == {
        "supported": False,
        "maxOperations": 100,
        "maxPayloadSize": 1_048_576,
    }


def test_patch_and_filter_are_supported_and_nothing_else():
    config = service_provider_config(BASE)

    supported = {
        name for name, item in config.items() if isinstance(item, dict) and item.get("supported")
    }
    assert supported == {"patch", "filter"}
    assert config["filter"]["maxResults"] == 200
    assert {"changePassword", "sort", "etag", "authenticationSchemes"} <= set(config)


def test_every_document_says_where_it_is():
    documents = [service_provider_config(BASE), *resource_types(BASE), *schemas(BASE)]

    locations = {item["meta"]["location"].removeprefix(BASE) for item in documents}
    assert locations == {
        "/ServiceProviderConfig",
        "/ResourceTypes/User",
        "/ResourceTypes/Group",
        f"/Schemas/{USER_SCHEMA}",
        f"/Schemas/{ENTERPRISE_SCHEMA}",
        f"/Schemas/{GROUP_SCHEMA}",
    }


def test_resource_types_name_declared_schemas():
    known = {item["id"] for item in schemas(BASE)}
    user, group = resource_types(BASE)

    assert {user["schema"], group["schema"], user["schemaExtensions"][0]["schema"]} == known
    assert (user["endpoint"], group["endpoint"]) == ("/Users", "/Groups")
    assert "schemaExtensions" not in group


def test_a_password_is_declared_nowhere():
    assert "password" not in repr(schemas(BASE)).lower()


def test_a_password_is_declared_write_only_and_never_returned_to_who_cannot_do_without():
    user, *others = schemas(BASE, password=True)
    password = user["attributes"].pop()

    assert (password["name"], password["mutability"], password["returned"]) == (
        "password",
        "writeOnly",
        "never",
    )
    assert [user, *others] == schemas(BASE)


def test_all_that_the_shadow_keeps_is_declared():
    body = dict.fromkeys(("userName", "title", "nickName", "password", "colour", "locale"), "x")
    body |= {
        "name": {"formatted": "x"},
        "emails": "a@x",
        "externalId": "e",
        "addresses": {"region": "x"},
    }
    body |= {ENTERPRISE_SCHEMA: {"department": "D", "salary": "1"}}
    shadow = apply(parse_create(Kind.USER, body), None)

    assert set(shadow) - {"schemas", "externalId", ENTERPRISE_SCHEMA} <= set(declared(USER_SCHEMA))
    assert set(shadow[ENTERPRISE_SCHEMA]) <= set(declared(ENTERPRISE_SCHEMA))


def test_names_are_declared_as_tfe_compares_them():
    for urn, name in ((USER_SCHEMA, "userName"), (GROUP_SCHEMA, "displayName")):
        attribute = declared(urn)[name]
        assert (attribute["caseExact"], attribute["uniqueness"], attribute["required"]) == (
            False,
            "server",
            True,
        )


def test_the_name_of_a_member_is_declared_as_returned_on_request():
    subs = {sub["name"]: sub for sub in declared(GROUP_SCHEMA)["members"]["subAttributes"]}

    assert {name: sub["returned"] for name, sub in subs.items()} == {
        "value": "default",
        "$ref": "default",
        "type": "default",
        "display": "request",
    }


def test_groups_of_a_user_are_read_only():
    groups = declared(USER_SCHEMA)["groups"]

    assert {groups["mutability"], *(sub["mutability"] for sub in groups["subAttributes"])} == {
        "readOnly"
    }


def test_only_text_has_letter_case():
    active = declared(USER_SCHEMA)["active"]

    assert active["type"] == "boolean"
    assert "caseExact" not in active


def test_answers_can_be_changed_without_changing_the_next():
    service_provider_config(BASE)["sort"]["supported"] = True
    schemas(BASE)[0]["attributes"].clear()

    assert service_provider_config(BASE)["sort"] == {"supported": False}
    assert declared(USER_SCHEMA)
