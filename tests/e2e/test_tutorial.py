"""The tutorial, typed line by line into one shell, ports apart."""

import asyncio
import os
import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"


async def test_every_command_of_the_tutorial_works_and_the_user_is_delivered_and_revoked(
    tmp_path, unused_tcp_port_factory
):
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE))
    for port in ("8181", "8080", "9464"):
        script = script.replace(port, str(unused_tcp_port_factory()))
    script = f"set -eu -o pipefail\n{script}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script),
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 90)
    log = tmp_path / "scim-tutorial" / "relay.log"

    assert process.returncode == 0, output.decode() + (log.read_text() if log.exists() else "")
    assert b"scim_relay_changes_total" in output
    assert b"ada@example.com" in output
