"""The control API under `/_simulator/`: JSON in, JSON out, for whoever is not in the process.

It asks for no token: the stand-in holds nothing that is worth one, and listens on loopback. An
unknown key or a wrong type is a 400 that names it, so that a script's typing error is seen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeAlias

import orjson
from aiohttp import web

from relay.rules.types import Json, JsonObject
from relay.simulator import orders
from relay.simulator.admin import orders as site_orders
from relay.simulator.errors import ScimError
from relay.simulator.tfe import Tfe
from relay.simulator.wire import group_json, parse_object, user_json

if TYPE_CHECKING:
    from relay.simulator.log import Entry

Order: TypeAlias = Callable[[Tfe, JsonObject], Json]
"""What a POST does, from its body to its answer."""

_ORDERS: dict[str, Order] = {
    "pause": orders.pause,
    "resume": orders.resume,
    "disable": orders.disable,
    "enable": orders.enable,
    "token": orders.token,
    "latency": orders.latency,
    "limit": orders.limit,
    "flags": orders.flags,
    "faults": orders.add_fault,
    "wipe": orders.wipe,
    "seed": orders.seed,
    "admin-token": site_orders.admin_token,
    "organizations": site_orders.organizations,
    "teams": site_orders.teams,
    "links": site_orders.links,
    "site-admin-group": site_orders.site_admin_group,
    "saml": site_orders.saml,
    "version": site_orders.version,
    "admin-limit": site_orders.admin_limit,
}


def add_control(app: web.Application, tfe: Tfe) -> None:
    """Add the control API's routes."""
    root = "/_simulator"
    for name, order in _ORDERS.items():
        app.router.add_post(f"{root}/{name}", _ordered(tfe, order))
    app.router.add_get(f"{root}/state", _answered(lambda _: tfe.state()))
    app.router.add_get(f"{root}/dump", _answered(lambda _: dump(tfe)))
    app.router.add_get(f"{root}/log", _answered(lambda request: _log(tfe, request)))
    app.router.add_delete(f"{root}/log", _answered(lambda _: _clear_log(tfe)))
    app.router.add_get(f"{root}/faults", _answered(lambda _: orders.faults_json(tfe)))
    app.router.add_delete(f"{root}/faults", _answered(lambda _: _clear_faults(tfe)))
    app.router.add_delete(f"{root}/faults/{{id}}", _answered(lambda r: _remove_fault(tfe, r)))
    app.router.add_post(f"{root}/faults/{{id}}/release", _answered(lambda r: _release(tfe, r)))


def dump(tfe: Tfe) -> JsonObject:
    """All TFE holds: SCIM users and groups as it returns them, accounts, organisations, teams."""
    directory = tfe.directory
    return {
        "users": [user_json(user) for user in directory.users],
        "groups": [group_json(group, directory) for group in directory.groups],
        "accounts": [asdict(account) for account in directory.accounts.all()],
        "organizations": [asdict(org) for org in tfe.site.estate.organizations()],
        "teams": [site_orders.team_json(tfe, team) for team in tfe.site.estate.teams()],
    }


def _ordered(tfe: Tfe, order: Order) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            return _json(200, order(tfe, parse_object(body) if body else {}))
        except ScimError as error:
            return _json(error.status, {"error": error.detail})

    return answer


def _answered(
    question: Callable[[web.Request], Json],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            return _json(200, question(request))
        except ScimError as error:
            return _json(error.status, {"error": error.detail})

    return answer


def _json(status: int, body: Json) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


def _log(tfe: Tfe, request: web.Request) -> JsonObject:
    """`?method=&path=&status=&after=&seconds=`; `seconds` is the window of `max_in_window`."""
    query = request.query
    try:
        entries = tfe.log.entries(
            method=query.get("method"),
            path=query.get("path"),
            status=int(query["status"]) if "status" in query else None,
            after=int(query.get("after", 0)),
        )
        seconds = float(query.get("seconds", 1))
    except ValueError as error:
        raise ScimError(400, f"cannot read the log: {error}") from error
    return {
        "max_in_window": tfe.log.max_in_window(seconds),
        "entries": [_entry(entry) for entry in entries],
    }


def _entry(entry: Entry) -> JsonObject:
    return asdict(entry)


def _clear_log(tfe: Tfe) -> JsonObject:
    tfe.log.clear()
    return tfe.state()


def _clear_faults(tfe: Tfe) -> JsonObject:
    tfe.faults.clear()
    return tfe.state()


def _remove_fault(tfe: Tfe, request: web.Request) -> JsonObject:
    tfe.faults.remove(_rule_number(request))
    return orders.faults_json(tfe)


def _release(tfe: Tfe, request: web.Request) -> JsonObject:
    rule = tfe.faults.get(_rule_number(request))
    if rule is None:
        raise ScimError(404, f"no fault {request.match_info['id']}")
    rule.release()
    return orders.faults_json(tfe)


def _rule_number(request: web.Request) -> int:
    try:
        return int(request.match_info["id"])
    except ValueError as error:
        raise ScimError(404, f"no fault {request.match_info['id']}") from error
