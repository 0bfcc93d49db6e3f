"""The recipe of the image: linted, its steps and entry command replayed outside a container."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from image import NOBODY, ROOT, STAGE, opened

from relay.cli.exits import Exit
from relay.ops.doctor import Level, examine_sqlite

pytestmark = pytest.mark.compliance
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BASES = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
WHEELS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64")
"""What pip takes on a glibc of Debian 12, from the newest down."""


def test_hadolint_finds_nothing_in_the_dockerfile(tools):
    done = subprocess.run(
        [tools / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_into_the_image_passes_its_ignore_file():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {name for line in STAGE if line.startswith("COPY") for name in line.split()[1:-1]}

    assert copied == let_in


async def test_the_image_as_replayed_serves_a_user_without_rights_on_a_read_only_root(
    installed, tmp_path
):
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root, to take all rights away")
    opened(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    config = tmp_path / "relay.toml"
    config.write_text(
        f'[listen]\naddress = "unix:{data}/scim.sock"\n'
        f'[[connections]]\nname = "idp"\ntoken_hash = "sha256:{"0" * 64}"\n'
        f'[target]\nurl = "http://127.0.0.1:1/scim/v2"\ntoken_file = "{config}"\n'
        f'[store]\npath = "{data}/relay.db"\n[metrics]\naddress = "127.0.0.1:0"\n'
    )
    # What --read-only does: nothing can be written but the volume.
    script = (
        f"mount --bind {data} {data}; mount -o remount,bind,ro /;"
        f" exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs"
        f" --bounding-set=-all {installed}/bin/scim-relay serve"
    )
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--mount", "--propagation", "private", "sh", "-ec", script),
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "SCIM_RELAY_CONFIG": str(config)},
        stderr=asyncio.subprocess.PIPE,
    )
    lines = []
    async with asyncio.timeout(60):
        async for line in process.stderr:
            lines.append(line)
            if b"relay.ready" in line:
                break
    assert b"relay.ready" in lines[-1], lines
    status, mounts = process_files(process.pid)
    root = next(fields for fields in map(str.split, reversed(mounts)) if fields[1] == "/")
    assert re.search(rf"^Uid:\s+{NOBODY}\s+{NOBODY}", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert "ro" in root[3].split(",")
    process.terminate()
    await process.stderr.read()
    assert await process.wait() == 0


def process_files(pid):
    folder = Path(f"/proc/{pid}")
    return (folder / "status").read_text(), (folder / "mounts").read_text().splitlines()


def test_the_bill_of_materials_names_what_is_locked(tools, installed, tmp_path):
    target = tmp_path / "sbom.json"
    subprocess.run(
        [tools / "cyclonedx-py", "environment", "--of", "JSON", "-o", target,
         installed / "bin" / "python"],
        check=True, capture_output=True,
    )  # fmt: skip
    found = {
        (re.sub(r"[-_.]+", "-", one["name"]).lower(), one["version"])
        for one in json.loads(target.read_text())["components"]
    }
    text = (ROOT / "requirements" / "runtime.txt").read_text()
    locked = set(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", text, re.MULTILINE))

    assert locked <= found
    assert {name for name, _ in found - locked} == {"tfe-scim-relay"}


def test_both_stages_are_of_one_base_that_is_pinned_to_a_patch_level():
    assert len(BASES) == 2
    assert len(set(BASES)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", BASES[0])


def test_everything_locked_has_a_wheel_for_the_python_of_the_image(tmp_path):
    version = re.search(r"python:(3\.\d+)", BASES[0])[1]
    platforms = [word for wheel in WHEELS for word in ("--platform", wheel)]
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "pip", "download", "-q", "--no-deps", "--only-binary=:all:",
         "--python-version", version, "--implementation", "cp", *platforms,
         "--require-hashes", "-r", ROOT / "requirements" / "runtime.txt", "-d", tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    # The slim image has no compiler: a package without a wheel could not be installed.
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob(f"pysqlite3-*-cp{version.replace('.', '')}-*.whl"))


def test_the_sqlite_of_the_image_is_new_enough(installed):
    code = "from relay.store.file.engine import SQLITE_VERSION; print(SQLITE_VERSION)"
    done = subprocess.run(
        [installed / "bin" / "python", "-c", code], capture_output=True, text=True, check=True
    )

    assert examine_sqlite(done.stdout.strip()).level is Level.OK


def test_the_health_check_of_the_image_is_a_command_that_tells_ready_from_not(installed, tmp_path):
    [words] = re.findall(r"^HEALTHCHECK .* CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    program, *rest = json.loads(words)
    config = tmp_path / "relay.toml"
    config.write_text(
        f'[[connections]]\nname = "idp"\ntoken_hash = "sha256:{"0" * 64}"\n'
        f'[target]\nurl = "http://127.0.0.1:1/scim/v2"\ntoken_file = "{config}"\n'
        f'[store]\npath = "{tmp_path}/relay.db"\n[metrics]\naddress = "127.0.0.1:1"\n'
    )
    done = subprocess.run(
        [installed / "bin" / program, *rest],
        env={"PATH": os.environ["PATH"], "SCIM_RELAY_CONFIG": str(config)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == Exit.UNREACHABLE, done.stderr
