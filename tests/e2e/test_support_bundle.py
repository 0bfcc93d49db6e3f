"""`scim-relay support-bundle`: all a supporter needs, and neither a person nor a token in it."""

import json
import re
import stat
import tarfile

import pytest
from support.canaries import seen_in
from support.idp import TOKEN, Idp, deactivate
from support.relays import RelayProcess, asked, typed, until, write_config

from relay.settings import load
from relay.simulator.faults import Fault, FaultKind, Match

PERSON = re.compile(r"canary|lovelace|zelda|corvids|rookery|nemo", re.IGNORECASE)
"""Of whom a bundle says nothing: users, addresses, display names, groups, who decided and why."""

FILES = {
    "README.txt", "attempts.jsonl", "check.json", "configuration.json", "holds.json", "log.jsonl",
    "metrics.txt", "parked.jsonl", "pending.jsonl", "shape.jsonl", "status.json", "versions.json",
}  # fmt: skip


def opened(path):
    """The files of a bundle, by name."""
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read().decode()
            for member in archive
        }


@pytest.fixture
async def relay(unlimited, tmp_path):
    """A relay in a process of its own that has seen people, refusals, a hold and a decision."""
    sections = {
        "answer": {"wait": "0s"},
        "target": {"rate": 100},
        "guard": {"protected_users": ["zelda@canary.example"], "protected_groups": ["Rookery"]},
        "users": {"missing_address": "{userName}@canary.example"},
    }
    path = write_config(unlimited, tmp_path, **sections)
    relay = RelayProcess(path, {"SCIM_RELAY_LOG__LEVEL": "debug"})
    await relay.start()
    refusal = Fault(
        kind=FaultKind.STATUS,
        status=400,
        detail="'canary.lovelace@canary.example' (Ada Lovelace) is not in the group Corvids",
    )
    async with Idp(relay.base) as idp:
        await until(lambda: any(one.get("event") == "import.completed" for one in relay.lines))
        names = {"displayName": "Ada Lovelace", "name": {"formatted": "Ada Lovelace"}}
        ada = await idp.create_user("canary@canary.example", externalId="canary-1", **names)
        await idp.create_group("Corvids", ada)
        await until(lambda: [one.get("event") for one in relay.lines].count("change.finished") == 2)
        unlimited.faults.add(refusal, Match(method="POST", path="^/Users", count=None))
        await idp.create_user("canary.lovelace@canary.example", **names)
        await idp.create_user("zelda@canary.example")
        await idp.create_group("Rookery", ada)
        await until(lambda: any(one.get("event") == "change.parked" for one in relay.lines))
        await typed(tmp_path, "holds", "reject", "--group", "Rookery", "--reason", "nemo said so")
        await typed(tmp_path, "pause", "--reason", "nemo wants it")
        await idp.patch(f"/Users/{ada}", deactivate())
    yield relay
    await relay.stop()


async def test_a_running_relay_gives_everything_without_a_person_or_a_token(relay, tmp_path):
    path = tmp_path / "bundle.tar.gz"
    code, shown = await typed(tmp_path, "support-bundle", str(path))

    files = opened(path)
    assert code == 0
    assert "left out" in shown
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files.keys() == FILES
    found = {name: PERSON.findall(text) for name, text in files.items() if PERSON.search(text)}
    assert found == {}
    assert not any(seen_in(text) or TOKEN in text for text in files.values())


async def test_what_is_left_says_what_is_the_matter(relay, tmp_path):
    await typed(tmp_path, "support-bundle", str(tmp_path / "bundle.tar.gz"))
    files = opened(tmp_path / "bundle.tar.gz")

    [parked] = [json.loads(line) for line in files["parked.jsonl"].splitlines()]
    assert (parked["status"], parked["state"], parked["kind"]) == (400, "parked", "User")
    assert (
        parked["reason"]
        == "400 \N{HORIZONTAL ELLIPSIS} is not in the group \N{HORIZONTAL ELLIPSIS}"
    )
    status = json.loads(files["status.json"])
    assert {hold["hold"] for hold in status["holds"]} == {"operator", "guard"}
    assert "an operator typed" in str(status["holds"])
    assert status["refused"][0]["condition"] == "invalid request"
    versions = json.loads(files["versions.json"])
    assert versions["libraries"]["aiohttp"][0].isdigit()
    assert versions["sqlite"].startswith("3.")
    configuration = json.loads(files["configuration.json"])
    assert configuration["connections"][0]["token_hash"] == "***"
    assert configuration["target"]["rate"] == 100
    assert "scim_relay_queue_changes" in files["metrics.txt"]
    events = {json.loads(line)["event"] for line in files["log.jsonl"].splitlines()}
    assert {"relay.ready", "change.finished", "hold.raised", "attempt.settled"} <= events
    attempts = [json.loads(line) for line in files["attempts.jsonl"].splitlines()]
    assert (attempts[0]["verdict"], attempts[0]["status"]) == ("refused", 400)


async def test_a_name_is_the_same_pseudonym_wherever_it_stands(relay, tmp_path):
    for number in (1, 2):
        await typed(tmp_path, "support-bundle", str(tmp_path / f"bundle{number}.tar.gz"))
    first, second = (opened(tmp_path / f"bundle{number}.tar.gz") for number in (1, 2))

    protected = json.loads(first["configuration.json"])["guard"]["protected_users"]
    held = json.loads(first["holds.json"])["held"]
    assert protected == json.loads(second["configuration.json"])["guard"]["protected_users"]
    assert protected[0].startswith("~")
    assert [row["name"] for row in held] == protected


async def test_names_are_in_it_if_they_are_asked_for_and_tokens_never(relay, tmp_path):
    path = tmp_path / "bundle.tar.gz"
    code, _ = await typed(tmp_path, "support-bundle", str(path), "--with-names")
    files = opened(path)

    text = "\n".join(files.values())
    assert code == 0
    for name in ("canary.lovelace@canary.example", "Ada Lovelace", "Rookery", "nemo wants it"):
        assert name in text
    assert json.loads(files["configuration.json"])["connections"][0]["token_hash"] == "***"
    assert not seen_in(text)
    assert TOKEN not in text
    assert not re.search(r"sha256:[0-9a-f]{64}", text)


async def test_while_the_relay_is_down_its_files_are_read(relay, tmp_path):
    await relay.stop()
    path = tmp_path / "bundle.tar.gz"
    code, shown = await typed(tmp_path, "support-bundle", str(path))
    files = opened(path)

    assert code == 0
    assert "down" in shown
    assert files.keys() == {
        "README.txt", "check.json", "configuration.json", "database.json", "versions.json",
    }  # fmt: skip
    database = json.loads(files["database.json"])
    assert database["changes"]["parked"] == 1
    assert database["holds"][0]["hold"] == "operator"
    assert database["schema"][0] == "0001_first"
    assert {name: PERSON.findall(text) for name, text in files.items() if PERSON.search(text)} == {}
    protected = json.loads(files["configuration.json"])["guard"]["protected_users"]
    assert protected[0].startswith("~")

    code, shown = await typed(tmp_path, "support-bundle", str(path))
    assert code == 1
    assert "name another file" in shown
    await typed(tmp_path, "support-bundle", str(tmp_path / "names.tar.gz"), "--with-names")
    assert PERSON.search(opened(tmp_path / "names.tar.gz")["database.json"])


async def test_a_database_that_cannot_be_read_is_said_and_the_rest_is_there(relay, tmp_path):
    await relay.stop()
    (tmp_path / "relay.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    code, _ = await typed(tmp_path, "support-bundle", str(tmp_path / "bundle.tar.gz"))
    files = opened(tmp_path / "bundle.tar.gz")

    assert code == 0
    assert "cannot read it" in json.loads(files["database.json"])["database"]
    assert json.loads(files["versions.json"])["relay"]


async def test_the_daemons_answer_is_redacted_before_it_leaves_the_daemon(relay, tmp_path):
    socket = load(tmp_path / "relay.toml").control_socket
    answer = json.dumps(await asked(socket, "support"))

    assert not PERSON.search(answer)
