"""`scim-relay check`: everything that can be known to be wrong before `serve` is started."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from relay.cli.asking import json_option, show_json
from relay.cli.config import config_option, settings_of
from relay.cli.exits import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from relay.ops.doctor import Finding
    from relay.rules.types import Json
    from relay.settings import Settings


@click.command()
@config_option
@json_option
@click.option("--offline", is_flag=True, help="Do not speak to the target.")
def check(config: Path | None, as_json: bool, offline: bool) -> None:
    """Examine configuration, files, target, token, clock and disk: one line each, with the cure.

    A running relay is asked how it stands; without one its addresses and its database are
    examined. The exit code is 1 if any line says FAIL.
    """
    findings = examine(settings_of(config), offline=offline)
    for each in findings:
        if as_json:
            show_json({"level": each.level.value, "what": each.what, "detail": each.detail})
        else:
            click.echo(str(each))
    sys.exit(Exit.TROUBLE if any(each.level == "FAIL" for each in findings) else Exit.OK)


def examine(settings: Settings, *, offline: bool) -> list[Finding]:
    """Every finding, the cheap ones first."""
    from relay.clock import SystemClock
    from relay.errors import StoreRefused
    from relay.ops import doctor, starting
    from relay.site.expiry import ConfiguredEnd
    from relay.site.telling import finding
    from relay.store.file.engine import SQLITE_VERSION
    from relay.store.file.filesystems import refuse_network_filesystem

    path = settings.store.path
    findings = [doctor.Finding(doctor.Level.OK, "configuration", "every key is known and agrees")]
    findings += [*doctor.examine_files(settings), *doctor.examine_disk(path)]
    findings += doctor.examine_guard(settings)
    findings += doctor.examine_tokens(settings, SystemClock().wall())
    try:
        refuse_network_filesystem(path)
        findings.append(doctor.Finding(doctor.Level.OK, "filesystem", "local"))
    except StoreRefused as error:
        findings.append(doctor.Finding(doctor.Level.FAIL, "filesystem", str(error)))
    findings.append(doctor.examine_sqlite(SQLITE_VERSION))
    findings.append(starting.examine_files_limit(settings))
    findings += starting.examine_certificate(settings, SystemClock())
    findings += examine_relay(settings)
    if not offline:
        token = doctor.read_token(settings)
        findings += asyncio.run(doctor.examine_target(settings, token, SystemClock()))
    if settings.admin_api.token_file is None:
        ends = ConfiguredEnd(settings.target.token_expires).findings(SystemClock().wall())
        findings += _as_found([finding(one) for one in ends])
    elif not offline:
        findings += examine_site(settings)
    return findings


def examine_relay(settings: Settings) -> list[Finding]:
    """What a running relay says of itself; without one, whether it could start."""
    from relay.ops.client import ask
    from relay.ops.errors import DaemonUnreachable
    from relay.ops.running import examine_status
    from relay.ops.starting import examine_start

    try:
        status = asyncio.run(ask(settings.control_socket, "status", {}))
    except DaemonUnreachable:
        return examine_start(settings)
    assert isinstance(status, dict)
    return examine_status(status)


def examine_site(settings: Settings) -> list[Finding]:
    """What TFE's admin API shows, by a running relay if there is one: it knows more."""
    from relay.ops import doctor
    from relay.ops.client import ask
    from relay.ops.errors import DaemonUnreachable
    from relay.site.examining import examine as examine_alone
    from relay.site.telling import finding

    found: Json
    try:
        answer = asyncio.run(ask(settings.control_socket, "site", {}))
        found = answer["findings"] if isinstance(answer, dict) else []
    except DaemonUnreachable:
        found = [finding(one) for one in asyncio.run(examine_alone(settings))]
    if not found:
        return [doctor.Finding(doctor.Level.OK, "admin api", "nothing to say")]
    assert isinstance(found, list)
    return _as_found(found)


def _as_found(found: list[Json]) -> list[Finding]:
    from relay.ops import doctor

    return [
        doctor.Finding(
            doctor.Level.FAIL if one["urgent"] else doctor.Level.WARN,
            str(one["what"]),
            f"{one['cause']}; {one['cure']}",
        )
        for one in found
        if isinstance(one, dict)
    ]
