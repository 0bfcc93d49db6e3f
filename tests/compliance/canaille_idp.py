"""canaille, an identity provider, driven by lines of JSON; run by the Python that has it installed.

`python canaille_idp.py BASE TOKEN`: its directory is in memory, and whatever is saved in it is
pushed at once to BASE by its own SCIM client. One JSON object a line on stdin, one answer on
stdout: `{"warnings": [...]}` with what canaille could not push, or its directory for `dump`.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from typing import Any

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend

CONFIGURATION = {
    "SECRET_KEY": "not-a-secret",
    "SERVER_NAME": "idp.example.com",
    "CANAILLE": {"DATABASE": "memory"},
    "CANAILLE_SCIM": {"ENABLE_CLIENT": True},
    "CANAILLE_OIDC": {"TRUSTED_DOMAINS": ["127.0.0.1"]},
}


class Warnings(logging.Handler):
    """Collects what canaille warns of: a push that failed is a warning and nothing else."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())

    def taken(self) -> list[str]:
        texts, self.texts = self.texts, []
        return texts


def connect(base: str, token: str) -> None:
    """Make the relay a trusted client: it is provisioned without anybody's consent."""
    now = dt.datetime.now(dt.UTC)
    client = models.Client(
        client_id="relay", client_name="relay", client_uri=base, client_id_issued_at=now
    )
    Backend.instance.save(client)
    token = models.Token(
        token_id="relay",
        access_token=token,
        client=client,
        audience=[client],
        subject=None,
        issue_date=now,
        lifetime=86400,
        type="access_token",
    )
    Backend.instance.save(token)


def user(name: str) -> Any:
    return Backend.instance.get(models.User, user_name=name)


def group(name: str) -> Any:
    return Backend.instance.get(models.Group, display_name=name)


def obey(step: dict[str, Any]) -> None:
    fields = step.get("fields", {})
    if "members" in fields:
        fields["members"] = [user(name) for name in fields["members"]]
    match step["do"]:
        case "create user":
            Backend.instance.save(models.User(**fields))
        case "change user":
            Backend.instance.update(changed := user(step["name"]), **fields)
            Backend.instance.save(changed)
        case "lock user":
            changed = user(step["name"])
            changed.lock_date = dt.datetime.now(dt.UTC)
            Backend.instance.save(changed)
        case "delete user":
            Backend.instance.delete(user(step["name"]))
        case "create group":
            Backend.instance.save(models.Group(**fields))
        case "change group":
            Backend.instance.update(changed := group(step["name"]), **fields)
            Backend.instance.save(changed)
        case "delete group":
            Backend.instance.delete(group(step["name"]))
        case other:
            raise ValueError(other)


def dump() -> dict[str, Any]:
    users = Backend.instance.query(models.User)
    groups = Backend.instance.query(models.Group)
    return {
        "users": sorted([one.user_name, one.lock_date is None, one.emails[0]] for one in users),
        "groups": sorted(
            [one.display_name, sorted(member.user_name for member in one.members)] for one in groups
        ),
    }


def main() -> None:
    base, token = sys.argv[1:]
    app = create_app(CONFIGURATION)
    warnings = Warnings()
    app.logger.addHandler(warnings)
    with app.app_context(), app.backend.session():
        connect(base, token)
        for line in sys.stdin:
            step = json.loads(line)
            if step["do"] != "dump":
                obey(step)
            answer = dump() if step["do"] == "dump" else {"warnings": warnings.taken()}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
