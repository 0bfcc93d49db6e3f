"""`admin/users` with its actions, and `account/details`: TFE's own users, SCIM's among them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from relay.simulator.admin import documents
from relay.simulator.admin.estate import not_there
from relay.simulator.admin.people import user_id
from relay.simulator.errors import ScimError

if TYPE_CHECKING:
    from relay.rules.types import JsonObject
    from relay.simulator.accounts import Account
    from relay.simulator.admin.bodies import Call, Outcome
    from relay.simulator.log import Arrival
    from relay.simulator.records import User
    from relay.simulator.tfe import Tfe


def account_details(call: Call) -> Outcome:
    """Show the user whose token it is.

    Raises:
        ScimError: 404.
    """
    if call.method != "GET":
        raise call.wrong_method()
    return 200, documents.one(_resource(call.tfe, call.caller))


def users(call: Call) -> Outcome:
    """List users by `q` (name or address), `filter[admin]`, `filter[suspended]`.

    Raises:
        ScimError: 404.
    """
    if call.method != "GET":
        raise call.wrong_method()
    everybody = call.tfe.directory.accounts.all()
    admins = call.tfe.site.people.admins()
    asked = [account for account in everybody if _is_asked(call.arrival, account, admins)]
    answer = documents.page(
        asked, lambda account: _resource(call.tfe, account), call.arrival.path, call.arrival.query
    )
    meta = answer["meta"]
    assert isinstance(meta, dict)
    meta["status-counts"] = {
        "total": len(everybody),
        "suspended": sum(account.suspended for account in everybody),
        "admin": sum(account.username in admins for account in everybody),
    }
    return 200, answer


def user(call: Call, ident: str) -> Outcome:
    """Show one.

    Raises:
        ScimError: 404.
    """
    found = _known(call.tfe, ident)
    if call.method != "GET":
        raise call.wrong_method()
    return 200, documents.one(_resource(call.tfe, found))


def user_action(call: Call, ident: str, action: str) -> Outcome:
    """`suspend`, `unsuspend`, `grant_admin`, `revoke_admin`, behind SCIM's back if need be.

    Suspending or unsuspending somebody whom SCIM manages changes the identity's `active` too: TFE
    keeps one flag for both (`suspended_at`).

    Raises:
        ScimError: 400 it is so already, 404.
    """
    tfe = call.tfe
    found = _known(tfe, ident)
    if call.method != "POST":
        raise call.wrong_method()
    is_admin = tfe.site.people.is_admin(found)
    match action:
        case "suspend" | "unsuspend":
            _suspend(tfe, found, suspended=action == "suspend")
        case "grant_admin":
            _refuse_if(is_admin, "User is already an administrator")
            tfe.site.people.appoint(found.username)
        case "revoke_admin":
            _refuse_if(not is_admin, "User is not an administrator")
            tfe.site.people.dismiss(found.username)
        case _:
            raise call.wrong_method()
    return 200, documents.one(_resource(tfe, _known(tfe, ident)))


def _suspend(tfe: Tfe, account: Account, *, suspended: bool) -> None:
    words = "User is already suspended" if suspended else "User is not suspended"
    _refuse_if(account.suspended == suspended, words)
    identity = _identity(tfe, account)
    if identity is None:
        tfe.directory.accounts.suspend(account.username, suspended=suspended)
    else:
        tfe.directory.update_user(identity, replace(identity.fields, active=not suspended))


def _refuse_if(wrong: bool, words: str) -> None:
    if wrong:
        raise ScimError(400, words)


def _is_asked(arrival: Arrival, account: Account, admins: set[str]) -> bool:
    query = arrival.query
    part = query.get("q", "").casefold()
    flags = {
        "filter[admin]": account.username in admins,
        "filter[suspended]": account.suspended,
    }
    return part in f"{account.username} {account.email}".casefold() and all(
        query.get(name, "") in ("", str(value).lower()) for name, value in flags.items()
    )


def _known(tfe: Tfe, ident: str) -> Account:
    for account in tfe.directory.accounts.all():
        if user_id(account.username) == ident:
            return account
    raise not_there()


def _identity(tfe: Tfe, account: Account) -> User | None:
    return None if account.scim_id is None else tfe.directory.users.get(account.scim_id)


def _resource(tfe: Tfe, account: Account) -> JsonObject:
    estate = tfe.site.estate
    names = [
        org.name for org in estate.organizations() if estate.is_member(account.username, org.name)
    ]
    return documents.user(
        account,
        _identity(tfe, account),
        names,
        is_admin=tfe.site.people.is_admin(account),
        scim_enabled=tfe.access.enabled,
    )
