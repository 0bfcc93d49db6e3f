"""`admin/scim-settings` and `admin/saml-settings`: SCIM on, off, paused, and what it stands on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from relay.simulator.admin import documents
from relay.simulator.admin.bodies import boolean, optional_text, text
from relay.simulator.admin.site import PROVIDER_TYPES
from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.simulator.admin.bodies import Call, Outcome
    from relay.simulator.tfe import Tfe


def scim_settings(call: Call) -> Outcome:
    """Read, change in part, or disable SCIM, which deletes all of it.

    Raises:
        ScimError: 400, 404, 422; nothing was changed.
    """
    match call.method:
        case "GET":
            pass
        case "PATCH":
            _change(call.tfe, call.attributes())
        case "DELETE":
            call.tfe.disable()
        case _:
            raise call.wrong_method()
    return 200, _document(call.tfe)


def saml_settings(call: Call) -> Outcome:
    """Read or change in part.

    Raises:
        ScimError: 400, 404, 422; nothing was changed.
    """
    site = call.tfe.site
    match call.method:
        case "GET":
            pass
        case "PATCH":
            given = call.attributes()
            saml = replace(site.saml, more={**site.saml.more, **given})
            if "enabled" in given:
                saml = replace(saml, enabled=boolean(given, "enabled"))
            if "provider-type" in given:
                saml = replace(saml, provider_type=_provider_type(given))
            site.saml = saml
        case _:
            raise call.wrong_method()
    return 200, documents.one(documents.saml_settings(site.saml))


def _provider_type(given: JsonObject) -> str:
    value = text(given, "provider-type")
    if value not in PROVIDER_TYPES:
        raise ScimError(422, f"provider-type must be one of {', '.join(PROVIDER_TYPES)}")
    return value


def _change(tfe: Tfe, given: JsonObject) -> None:
    """What is left out stays; all is looked at before anything is changed."""
    enabled = boolean(given, "enabled") if "enabled" in given else tfe.access.enabled
    paused = boolean(given, "paused") if "paused" in given else tfe.access.paused
    group_id = tfe.site.people.site_admin_group
    if "site-admin-group-scim-id" in given:
        group_id = optional_text(given, "site-admin-group-scim-id")
    if "enabled" in given and not enabled:
        raise ScimError(422, "SCIM cannot be disabled by an update; delete the settings instead")
    if enabled and not tfe.access.enabled and not tfe.site.saml.suits_scim:
        raise ScimError(422, "SAML must be enabled for a supported identity provider")
    if not enabled and (paused or group_id is not None):
        raise ScimError(422, "SCIM is not enabled")
    if group_id is not None and group_id not in tfe.directory.groups:
        raise ScimError(422, "SCIM group not found")
    tfe.access.enabled = enabled
    tfe.access.paused = paused
    tfe.site.people.site_admin_group = group_id


def _document(tfe: Tfe) -> JsonObject:
    group_id = tfe.site.people.site_admin_group
    group = None if group_id is None else tfe.directory.group(group_id)
    return documents.one(documents.scim_settings(tfe.access, group))
