"""The tutorial, typed line by line into one shell, ports apart; what it installs is here already."""

import os
import sys
from pathlib import Path

import pytest
from support.tutorial import INSTALLS, lines, type_into_a_shell


@pytest.mark.timeout(240)
async def test_every_command_of_the_tutorial_works_and_the_user_is_delivered_and_revoked(
    tmp_path, unused_tcp_port_factory
):
    typed = [line for line in lines(unused_tcp_port_factory) if INSTALLS not in line]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    code, shown = await type_into_a_shell(typed, tmp_path, path, 200)

    assert code == 0, shown
    assert "ada@example.com" in shown
    assert "delivered" in shown
    assert "paused" in shown
    assert "scim_relay_owed_revocations 0.0" in shown
