"""The demo: what it shows is what the stand-ins' logs say, and it fails when TFE is not right."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from relay.cli.demo.acts import straight_at_tfe, through_the_relay
from relay.cli.demo.oracle import compare
from relay.cli.demo.report import Report, measured
from relay.cli.demo.screen import PlainScreen, summarise
from relay.cli.demo.script import Join, Leave, Offboard, written
from relay.cli.demo.sides import relay_side, straight_side
from relay.cli.exits import Exit
from relay.rules.figures import quantile

RATE = 100


def command(*arguments, folder):
    return [sys.executable, "-m", "relay", "demo", "--plain", *arguments], {
        "env": {**os.environ, "TMPDIR": str(folder)},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }


@pytest.fixture
def short(tmp_path_factory):
    """A folder whose path leaves room for a unix socket's name."""
    return tmp_path_factory.mktemp("d")


async def test_the_summary_is_what_the_logs_say_and_a_lost_membership_is_a_failure(
    tmp_path, capsys
):
    script = written(12, 2, 3)
    async with (
        relay_side(script, tmp_path, RATE, 4) as side,
        straight_side(script, RATE, 4) as straight,
    ):
        starts = await through_the_relay(side, RATE, PlainScreen())
        await straight_at_tfe(straight, starts, PlainScreen())
        report = Report(measured(side), measured(straight))
        summarise(report)

        assert report.exit_code is Exit.OK
        shown = capsys.readouterr().out
        for label, status in (("429", 429), ("403", 403), ("400", 400)):
            counts = [
                sum(entry.counted and entry.status == status for entry in each.sim.log.entries())
                for each in (side, straight)
            ]
            row = re.search(rf"answered {label} \(.*\) +(\d+) +(\d+)", shown)
            assert [int(row[1]), int(row[2])] == counts
        arrived = re.search(r"requests that reached TFE +(\d+) +(\d+)", shown)
        assert int(arrived[1]) == len([e for e in side.sim.log.entries() if e.counted])
        assert int(arrived[2]) == len([e for e in straight.sim.log.entries() if e.counted])
        assert "users right at TFE" in shown
        assert side.relay.token not in shown
        assert side.sim.token not in shown

        group = next(group for group in side.sim.directory.groups if group.fields.members)
        rest = dict.fromkeys(list(group.fields.members)[1:])
        side.sim.directory.update_group(group, replace(group.fields, members=rest))
        tampered = Report(measured(side), report.straight)
        summarise(tampered)

        assert tampered.exit_code is Exit.TROUBLE
        assert len(tampered.relay.findings.missing) == 1
        assert "behind the relay missing: member" in capsys.readouterr().out


def test_the_command_plays_all_acts_exits_0_and_leaves_nothing_behind(short):
    line, options = command("--users", "8", "--groups", "1", "--rate", "100", folder=short)
    done = subprocess.run(line, timeout=60, check=False, **options)

    assert done.returncode == 0, done.stdout
    assert [f"Act {n}" in done.stdout for n in range(1, 6)] == [True] * 5
    assert "\x1b" not in done.stdout
    assert list(short.iterdir()) == []


def test_a_signal_ends_the_relay_too_and_removes_its_files(short):
    line, options = command("--users", "40", "--rate", "5", folder=short)
    with subprocess.Popen(line, **options) as running:
        seen = ""
        while "Act 1" not in seen:
            read = running.stdout.readline()
            assert read, seen
            seen += read
        configuration = str(next(short.rglob("relay.toml")))
        assert any(configuration in line for line in command_lines())
        running.send_signal(signal.SIGTERM)
        rest = running.communicate(timeout=30)[0]

    assert running.returncode == 130, rest
    assert not any(configuration in line for line in command_lines())
    assert list(short.iterdir()) == []


def command_lines():
    """The command line of every process of this machine."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue


async def test_a_state_that_was_never_written_is_all_missing_and_nothing_is_surplus():
    script = written(20, 3, 1)
    async with straight_side(script, RATE, 1) as side:
        findings = compare(script, side.sim.directory)

        assert not findings.exact
        assert len(findings.found.users) == len(script.present)
        assert len(findings.found.groups) == 1


def test_the_last_step_offboards_somebody_who_was_there_before():
    script = written(60, 6, 1)

    assert script.steps[-1] == Offboard(script.leaver)
    assert script.leaver in {person.key for person in script.present}
    assert not script.wanted.people[script.leaver].active


@pytest.mark.parametrize("users", [6, 7, 60, 400])
def test_batches_stay_small_and_every_step_names_somebody_known(users):
    script = written(users, 4, 9)
    people = set(script.wanted.people)

    assert len(people) == users
    for step in script.steps:
        if isinstance(step, Join | Leave):
            assert 1 <= len(step.people) <= 15
            assert people >= set(step.people)


def test_the_same_seed_writes_the_same_play():
    assert written(30, 3, 5) == written(30, 3, 5)
    assert written(30, 3, 5) != written(30, 3, 6)


def test_a_quantile_is_a_value_that_was_measured():
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0
    assert quantile([], 0.5) == 0.0
