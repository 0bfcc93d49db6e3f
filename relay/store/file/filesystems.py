"""What holds the database: a network filesystem is refused by name, since its locks or syncs lie.

Local ones are not told apart, nor is a container's or a virtual machine's view of its host's disk
(`overlay`, `virtiofs`). Carries L2 and A2 where no other code can.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from relay.errors import StoreRefused

NETWORK_FILESYSTEMS: Final = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "smbnetfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "gpfs",
        "beegfs",
        "fhgfs",
        "panfs",
        "orangefs",
        "pvfs2",
        "coda",
        "ncpfs",
        "moosefs",
        "mfs",
        "lizardfs",
        "saunafs",
        "juicefs",
        "seaweedfs",
        "sshfs",
        "davfs",
        "davfs2",
        "curlftpfs",
        "s3fs",
        "goofys",
        "gcsfuse",
        "blobfuse",
        "blobfuse2",
        "mountpoint-s3",
        "rclone",
        "gvfsd-fuse",
        "vboxsf",
        "vmhgfs",
        "vmhgfs-fuse",
        "prl_fs",
    ]
)
"""Types as `/proc/self/mounts` has them, with or without `fuse.` before them."""

FIELDS_OF_A_MOUNT: Final = 3
"""Device, mount point, type: what is needed of a line of `/proc/self/mounts`."""

_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
"""A blank, a tab, a line's end and a backslash, in octal (proc_pid_mounts(5), getmntent(3))."""


def filesystem_of(path: Path, mounts: str) -> str:
    """The type of the filesystem that holds `path`, by the text of `/proc/self/mounts`."""
    best, found = "", "unknown"
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < FIELDS_OF_A_MOUNT:
            continue
        named = _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 8)), parts[1])
        point = named.rstrip("/") or "/"
        inside = str(path) == point or str(path).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, found = point, parts[2]
    return found


def refuse_network_filesystem(path: Path) -> None:
    """Refuse a filesystem whose locks or syncs cannot be trusted.

    Raises:
        StoreRefused: it is one, named.
    """
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    kind = filesystem_of(path.resolve().parent, mounts)
    if kind.removeprefix("fuse.") in NETWORK_FILESYSTEMS:
        raise StoreRefused(f"cannot use {path}: {kind} is a network filesystem; use a local disk")
