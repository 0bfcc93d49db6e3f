"""Every recorded request of every identity provider, replayed on the pure rules alone.

A dictionary stands for the directory and a set for each roster; what each request leaves behind
must be what the fixture says TFE should hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from relay.errors import Refused
from relay.rules.dialect import parse_create, parse_patch, parse_replace
from relay.rules.filters import parse as parse_filter
from relay.rules.shadow import apply, project
from relay.rules.types import Fields, JsonObject, Kind, MemberOp, Write
from relay.rules.view import resource_body

FIXTURES = Path(__file__).parents[2] / "fixtures" / "idp"
FILES = sorted(FIXTURES.glob("*.jsonl"))


@dataclass
class Entry:
    kind: Kind
    shadow: JsonObject
    fields: Fields
    members: set[str] = field(default_factory=set)


class Directory:
    """The smallest directory that the fixtures need."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.count = 0

    def create(self, write: Write) -> str:
        shadow = apply(write, None)
        fields = project(write.kind, shadow, None, "{userName}@made-up.example")
        for other in self.entries.values():
            if other.kind is write.kind and other.fields.name.lower() == fields.name.lower():
                raise Refused(409, "taken", "uniqueness")
        self.count += 1
        new_id = f"id-{self.count}"
        self.entries[new_id] = Entry(write.kind, shadow, fields)
        self.step(self.entries[new_id], write)
        return new_id

    def change(self, key: str, write: Write) -> None:
        if key not in self.entries:
            raise Refused(404, "gone")
        entry = self.entries[key]
        entry.shadow = apply(write, entry.shadow)
        entry.fields = project(entry.kind, entry.shadow, entry.fields)
        self.step(entry, write)

    def step(self, entry: Entry, write: Write) -> None:
        for edit in write.members:
            match edit.op:
                case MemberOp.ADD:
                    entry.members |= set(edit.ids)
                case MemberOp.REMOVE:
                    entry.members -= set(edit.ids)
                case MemberOp.REPLACE:
                    entry.members = set(edit.ids)

    def matching(self, kind: Kind, text: str) -> int:
        wanted = parse_filter(kind, text)
        return sum(
            wanted.matches(
                resource_body(
                    kind,
                    key,
                    e.shadow,
                    0,
                    0,
                    "https://relay.example/scim/v2",
                    [(m, m, Kind.USER) for m in sorted(e.members)] if kind is Kind.GROUP else None,
                )
            )
            for key, e in self.entries.items()
            if e.kind is kind
        )


def bound(value: object, ids: dict[str, str]) -> object:
    text = json.dumps(value)
    for alias, target in ids.items():
        text = text.replace("{" + alias + "}", target)
    return json.loads(text)


def kind_of(path: str) -> Kind:
    return Kind.GROUP if path.startswith("/Groups") else Kind.USER


def perform(directory: Directory, line: dict, ids: dict[str, str]) -> int:
    body, path = bound(line["body"], ids), bound(line["path"], ids)
    kind, key = kind_of(path), path.rpartition("/")[2]
    try:
        match line["method"]:
            case "POST":
                new_id = directory.create(parse_create(kind, body))
                if "binds" in line:
                    ids[line["binds"]] = new_id
                return 201
            case "PUT":
                directory.change(key, parse_replace(kind, body))
            case "PATCH":
                directory.change(key, parse_patch(kind, body))
            case "DELETE":
                gone = directory.entries.pop(key, None)
                for entry in directory.entries.values():
                    entry.members.discard(key)
                return 404 if gone is None else 204
    except Refused as refused:
        return refused.status
    return 200


def state(directory: Directory, after: dict, ids: dict[str, str]) -> dict:
    entry = directory.entries.get(ids[after["resource"]])
    if entry is None:
        return {"resource": after["resource"], "deleted": True}
    fields = entry.fields
    known = {
        "resource": after["resource"],
        "userName": fields.name,
        "displayName": fields.name,
        "active": fields.active,
        "email": fields.email,
        "externalId": fields.external_id,
        "members": sorted(entry.members),
    }
    return {name: known[name] for name in after}


def expected(after: dict, ids: dict[str, str]) -> dict:
    if "members" in after:
        return after | {"members": sorted(ids[alias] for alias in after["members"])}
    return after


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_recorded_request_leaves_what_its_sender_meant(path):
    directory, ids = Directory(), {}
    failures = []
    for line in lines_of(path):
        status = perform(directory, line, ids)
        if status != line["expect_status"] and line["method"] != "GET":
            failures.append((line["name"], line["expect_status"], status))
        after = line.get("after")
        if after is not None and state(directory, after, ids) != expected(after, ids):
            failures.append((line["name"], expected(after, ids), state(directory, after, ids)))

    assert failures == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_recorded_filter_finds_what_its_sender_looks_for(path):
    directory, ids = Directory(), {}
    failures, asked = [], 0
    for line in lines_of(path):
        query = line["query"] if isinstance(line["query"], dict) else {}
        if "filter" in query:
            asked += 1
            found = directory.matching(kind_of(line["path"]), bound(query["filter"], ids))
            if found != line.get("expect_total", found):
                failures.append((line["name"], line["expect_total"], found))
        perform(directory, line, ids)

    assert failures == []


def test_there_are_ten_senders_to_replay():
    assert len(FILES) == 10
