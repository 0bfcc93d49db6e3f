"""Costs that must not grow, counted and not timed, and the log's bound."""

from __future__ import annotations

from relay.simulator import log as log_module
from relay.simulator.log import Arrival, RequestLog, densest
from relay.simulator.seed import sow


def test_a_lookup_by_name_does_not_walk_through_the_users(tfe, monkeypatch):
    sow(tfe.directory, {"users": 2_000})
    monkeypatch.setattr(type(tfe.directory.users), "__iter__", None)

    assert len(tfe.directory.users.named("USER01234@example.com")) == 1


def test_deleting_a_user_touches_only_the_groups_it_is_in(tfe):
    ids = sow(tfe.directory, {"users": 3})["users"]
    groups = [{"displayName": f"g{n}", "members": ids[1:]} for n in range(50)]
    mine = sow(tfe.directory, {"groups": [*groups, {"displayName": "mine", "members": ids}]})
    before = {group.stamp.id: group for group in tfe.directory.groups}

    tfe.directory.delete_user(ids[0])

    changed = [ident for ident, group in before.items() if tfe.directory.group(ident) is not group]
    assert changed == mine["groups"][-1:]


def test_a_user_that_left_its_groups_is_deleted_without_touching_them(tfe):
    ids = sow(tfe.directory, {"users": 2})["users"]
    sow(tfe.directory, {"groups": [{"displayName": "g", "members": ids}]})
    group = tfe.directory.groups.named("G")[0]
    roster = tfe.directory.roster(group)
    roster.remove(ids[0])
    left = tfe.directory.update_group(group, type(group.fields)("g", None, dict(roster.members)))

    tfe.directory.delete_user(ids[0])

    assert tfe.directory.group(group.stamp.id) is left


def test_the_log_forgets_the_oldest_past_its_bound(clock, monkeypatch):
    monkeypatch.setattr(log_module, "MAX_ENTRIES", 3)
    log = RequestLog(clock)
    serials = [log.arrive(Arrival("GET", "/Users", {})) for _ in range(5)]
    log.finish(serials[0], 200)

    assert serials[2:] == [entry.serial for entry in log.entries()]
    assert [entry.status for entry in log.entries()] == [None] * 3


def test_the_densest_window_is_half_open():
    assert densest([], 1.0) == 0
    assert densest([0.0, 1.0, 2.0], 1.0) == 1
    assert densest([0.0, 0.999, 1.0, 1.5], 1.0) == 3
