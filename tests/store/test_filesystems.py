"""A network filesystem under the database is refused by name, as the kernel tells it."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.relays import write_config

from relay.store.file.filesystems import NETWORK_FILESYSTEMS, filesystem_of

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
tmpfs /run tmpfs rw 0 0
srv:/vol /var/lib/scim-relay nfs4 rw,vers=4.2 0 0
/dev/vdb /var/lib/scim-relay/local xfs rw 0 0
srv:/team /srv/my\\040files\\134x nfs rw 0 0
me@host:/ /home/me/remote fuse.sshfs rw 0 0
//nas/share /mnt/nas cifs rw 0 0
tmpfs /mnt/nas tmpfs rw 0 0
"""
HELD = {
    "/etc/relay": "ext4",
    "/run/relay": "tmpfs",
    "/var/lib/scim-relay": "nfs4",
    "/var/lib/scim-relay/deeper": "nfs4",
    "/var/lib/scim-relay-2": "ext4",
    "/var/lib/scim-relay/local": "xfs",
    "/srv/my files\\x/relay": "nfs",
    "/home/me/remote": "fuse.sshfs",
    "/mnt/nas": "tmpfs",
}
LOCAL = [
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "zfs",
    "f2fs",
    "tmpfs",
    "overlay",
    "bcachefs",
    "fuseblk",
    "virtiofs",
]
WORD = "is a network filesystem; use a local disk"


@pytest.mark.parametrize("folder", HELD)
def test_the_innermost_mount_that_came_last_holds_a_folder(folder):
    assert filesystem_of(Path(folder), MOUNTS) == HELD[folder]


def test_what_is_local_is_not_among_them():
    assert NETWORK_FILESYSTEMS.isdisjoint(LOCAL)


def spaced():
    """Words that run a program in a mount namespace of its own, where that is allowed."""
    words = ("unshare", "--map-root-user", "--mount")
    try:
        allowed = subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        allowed = False
    return words if allowed else None


@pytest.mark.skipif(spaced() is None, reason="no mount namespace is allowed here")
@pytest.mark.parametrize(
    ("word", "kind"),
    [("serve", "nfs4"), ("serve", "fuse.sshfs"), ("check", "cifs"), ("check", "fuse.glusterfs")],
)
def test_the_relay_does_not_start_on_one_and_check_says_so(tmp_path, word, kind):
    """The kernel's table is replaced for this one process."""
    folder = tmp_path / "a share"
    folder.mkdir()
    linked = tmp_path / "linked"
    linked.symlink_to(folder)
    nobody = SimpleNamespace(url="http://127.0.0.1:9/scim/v2", token="of nobody")
    config = write_config(nobody, tmp_path, store={"path": str(linked / "relay.db")})
    mounts = tmp_path / "mounts"
    named = str(folder).replace(" ", "\\040")
    mounts.write_text(Path("/proc/self/mounts").read_text() + f"srv:/x {named} {kind} rw 0 0\n")
    script = 'mount --bind "$1" /proc/$$/mounts && shift && exec "$@"'
    relay = (sys.executable, "-m", "relay", word, "--config", str(config))
    done = subprocess.run(
        [*spaced(), "/bin/bash", "-c", script, "-", str(mounts), *relay],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )

    assert f"{kind} {WORD}" in done.stdout + done.stderr
    assert done.returncode == {"serve": 4, "check": 1}[word]
    assert list(folder.iterdir()) == []
