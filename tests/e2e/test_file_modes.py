"""What the relay writes is its owner's alone, whatever the umask; its socket is the group's, too."""

import os
import stat

import pytest
from support.idp import Idp
from support.relays import RelayProcess, typed, until, write_config

MINE, SHARED = 0o600, 0o660


def modes(folder):
    found = {}
    for path in folder.rglob("*"):
        if path.name not in ("relay.toml", "tfe-token") and not path.is_dir():
            found[path.name] = stat.S_IMODE(path.stat().st_mode)
    return found


@pytest.fixture(params=[0o000, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


async def test_every_file_is_0600_and_the_socket_0660(unlimited, tmp_path, umask):
    store = {"path": str(tmp_path / "made" / "relay.db")}
    relay = RelayProcess(write_config(unlimited, tmp_path, store=store))
    await relay.start()
    await relay.imported()
    async with Idp(relay.base) as idp:
        await idp.create_user("ada@example.com")
    made = [str(tmp_path / name) for name in ("copy.db", "bundle.tar.gz", "saved.db")]
    assert (await typed(tmp_path, "backup", made[0]))[0] == 0
    assert (await typed(tmp_path, "support-bundle", made[1]))[0] == 0
    running = modes(tmp_path)
    await relay.kill()
    assert (await typed(None, "salvage", store["path"], "--into", made[2]))[0] == 0

    own = ("relay.db", "relay.db-wal", "relay.db-shm", "relay.db.lock")
    expected = dict.fromkeys((*own, "copy.db", "bundle.tar.gz"), MINE)
    assert running == {**expected, "control.sock": SHARED}
    assert modes(tmp_path)["saved.db"] == MINE
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) & 0o007 == 0


async def test_a_file_that_was_put_there_open_to_others_is_closed_to_them(unlimited, tmp_path):
    relay = RelayProcess(write_config(unlimited, tmp_path))
    await relay.start()
    await relay.kill()
    for path in tmp_path.glob("relay.db*"):
        path.chmod(0o644)
    await relay.start()
    await until((tmp_path / "relay.db-wal").exists)
    found = modes(tmp_path)
    assert await relay.stop() == 0

    assert {name: found[name] for name in ("relay.db", "relay.db-wal", "relay.db-shm")} == {
        "relay.db": MINE,
        "relay.db-wal": MINE,
        "relay.db-shm": MINE,
    }
