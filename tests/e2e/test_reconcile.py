"""TFE is compared with what it confirmed, and brought back where somebody changed it."""

import json
import random
from dataclasses import replace

import pytest
from support.relays import relay_for, typed, until

from relay.simulator.records import GroupFields, UserFields
from relay.simulator.seed import sow

FAST = {"rate": 100}
SEEDS = (1, 2)


async def populated(relay, users=30, groups=5):
    """Users and groups of ten in TFE; their ids by name."""
    people = {}
    for number in range(users):
        name = f"user{number:02}@x.org"
        people[name] = await relay.idp.create_user(name, externalId=f"e{number}")
    crews = {}
    for number in range(groups):
        members = [people[f"user{(number * 5 + i) % users:02}@x.org"] for i in range(10)]
        crews[f"Crew {number}"] = await relay.idp.create_group(f"Crew {number}", *members)
    await relay.settled()
    return people, crews


def picture(sim):
    """All that TFE holds, by names."""
    users = {
        one.fields.user_name: (one.fields.email, one.fields.external_id, one.fields.active)
        for one in sim.directory.users
    }
    groups = {
        one.fields.display_name: sorted(
            sim.directory.user(member).fields.user_name for member in one.fields.members
        )
        for one in sim.directory.groups
    }
    return users, groups


async def reconciled(folder, *words):
    code, shown = await typed(folder, "reconcile", "--json", *words)
    assert code == 0, shown
    return json.loads(shown)


async def quiet(relay):
    """Wait until nothing is pending and no lane has anything to send."""

    async def nothing():
        return await relay.store.run(lambda tx: tx.one("SELECT 1 FROM lane") is None)

    await relay.settled()
    await until(nothing)


class Meddler:
    """Somebody with TFE's own API and no idea of the relay."""

    def __init__(self, directory, rng):
        self.directory = directory
        self.rng = rng
        self.count = 0

    def meddle(self):
        """One change of a random kind; its name."""
        kinds = (
            self.rename_user,
            self.suspend,
            self.move_address,
            self.change_external_id,
            self.delete_user,
            self.create_stranger,
            self.recreate_user,
            self.rename_group,
            self.take_member_off,
            self.add_member,
            self.delete_group,
        )
        self.count += 1
        self.rng.choice(kinds)()

    def user(self):
        return self.rng.choice(list(self.directory.users))

    def group(self):
        return self.rng.choice(list(self.directory.groups))

    def edit(self, **values):
        user = self.user()
        kept = user.fields
        fields = {
            "user_name": kept.user_name,
            "email": kept.email,
            "external_id": kept.external_id,
            "active": kept.active,
        }
        self.directory.update_user(user, UserFields(**{**fields, **values}))

    def rename_user(self):
        self.edit(user_name=f"meddled{self.count}@x.org")

    def suspend(self):
        self.edit(active=False)

    def move_address(self):
        self.edit(email=f"meddled{self.count}@y.org")

    def change_external_id(self):
        self.edit(external_id=f"meddled{self.count}")

    def delete_user(self):
        self.directory.delete_user(self.user().stamp.id)

    def create_stranger(self):
        name = f"stranger{self.count}@x.org"
        self.directory.create_user(UserFields(name, name))

    def recreate_user(self):
        user = self.user()
        self.directory.delete_user(user.stamp.id)
        self.directory.create_user(user.fields)

    def regroup(self, group, **values):
        kept = group.fields
        fields = {
            "display_name": kept.display_name,
            "external_id": kept.external_id,
            "members": kept.members,
        }
        self.directory.update_group(group, GroupFields(**{**fields, **values}))

    def rename_group(self):
        self.regroup(self.group(), display_name=f"Meddled {self.count}")

    def take_member_off(self):
        group = self.group()
        kept = list(group.fields.members)
        if kept:
            kept.remove(self.rng.choice(kept))
        self.regroup(group, members=dict.fromkeys(kept))

    def add_member(self):
        group = self.group()
        members = {**group.fields.members, self.user().stamp.id: None}
        self.regroup(group, members=members)

    def delete_group(self):
        if len(list(self.directory.groups)) > 2:
            self.directory.delete_group(self.group().stamp.id)


@pytest.mark.parametrize("seed", SEEDS)
async def test_fifty_changes_behind_the_relays_back_are_mended_in_one_sweep(
    unlimited, tmp_path, seed
):
    off = {"max_deactivations": 0, "max_deletions": 0, "max_removals": 0}
    async with relay_for(unlimited, tmp_path, target=FAST, guard=off) as relay:
        people, crews = await populated(relay)
        users, groups = picture(unlimited)
        ids = {one.stamp.id for one in unlimited.directory.users}
        unlimited.behave(replace(unlimited.settings.behaviour, ignore_filters=True))
        meddler = Meddler(unlimited.directory, random.Random(seed))
        for _ in range(50):
            meddler.meddle()
        strangers = {
            one.fields.user_name: one.fields
            for one in unlimited.directory.users
            if one.stamp.id not in ids and one.fields.user_name not in users
        }
        report = await reconciled(tmp_path)
        assert sum(report["found"].values()) >= 20
        await quiet(relay)

        now_users, now_groups = picture(unlimited)
        assert {name: held for name, held in now_users.items() if name in users} == users
        assert now_users.keys() - users.keys() == strangers.keys()
        for name, fields in strangers.items():
            assert unlimited.directory.users.named(name)[0].fields == fields
        rosters = {
            name: [member for member in roster if member not in strangers]
            for name, roster in now_groups.items()
        }
        assert rosters == groups

        again = await reconciled(tmp_path)
        assert set(again["found"]) <= {"stranger", "strange_member"}
        for name, ident in people.items():
            assert (await relay.idp.get(f"/Users/{ident}")).body["userName"] == name
        assert len(crews) == len(groups)


async def test_a_dry_run_tells_and_touches_nothing(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        await populated(relay, users=10, groups=1)
        meddler = Meddler(unlimited.directory, random.Random(0))
        meddler.take_member_off()
        meddler.delete_user()
        before = picture(unlimited)
        since = len(unlimited.log.entries())
        report = await reconciled(tmp_path, "--dry-run")

        assert report["found"]["missing"] == 1
        assert {one["what"] for one in report["differences"]} == {"missing", "member_gone"}
        await quiet(relay)
        assert picture(unlimited) == before
        assert {one.method for one in unlimited.log.entries()[since:]} == {"GET"}
        assert (await relay.status())["drift"] == report["found"]
        exposition = relay.parts.metrics.exposition().decode()
        assert 'scim_relay_drift_total{what="missing"} 1.0' in exposition


async def test_the_policy_report_mends_nothing_and_a_sweep_of_a_tfe_in_step_finds_nothing(
    unlimited, tmp_path
):
    reports = {"on_drift": "report"}
    async with relay_for(unlimited, tmp_path, target=FAST, reconcile=reports) as relay:
        await populated(relay, users=10, groups=1)
        assert (await reconciled(tmp_path))["found"] == {}
        Meddler(unlimited.directory, random.Random(0)).suspend()
        before = picture(unlimited)
        assert (await reconciled(tmp_path))["found"] == {"changed": 1}
        await quiet(relay)

        assert picture(unlimited) == before


async def test_the_background_sweep_brings_a_removed_member_back(unlimited, tmp_path):
    often = {"every": "1s"}
    async with relay_for(unlimited, tmp_path, target=FAST, reconcile=often) as relay:
        await populated(relay, users=10, groups=1)
        before = picture(unlimited)
        Meddler(unlimited.directory, random.Random(0)).take_member_off()
        assert picture(unlimited) != before
        await until(lambda: picture(unlimited) == before)


async def test_a_wiped_tfe_found_by_a_sweep_is_foreign_and_nothing_is_unlearnt(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        people, _ = await populated(relay, users=10, groups=1)
        before = [await relay.target_id(one) for one in people.values()]
        unlimited.wipe()
        code, _ = await typed(tmp_path, "reconcile", "--json", "--last")
        assert code == 0
        await relay.parts.parts.reconciler.order(mend=True)
        await relay.held("foreign")

        assert [await relay.target_id(one) for one in people.values()] == before
        assert list(unlimited.directory.users) == []


async def test_a_comparison_that_a_restart_interrupts_goes_on_where_it_stood(unlimited, tmp_path):
    sow(unlimited.directory, {"users": 450})
    [strange] = sow(unlimited.directory, {"groups": [{"displayName": "Crew"}]})["groups"]

    def pages():
        return [
            (one.path, one.query["startIndex"])
            for one in unlimited.log.entries()
            if one.request_id == "reconcile" and "startIndex" in one.query
        ]

    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        reconciler = relay.parts.parts.reconciler
        await until(lambda: reconciler._sweep.began)
        await reconciler.order(mend=True)
        await until(lambda: len(pages()) >= 1)
    unlimited.directory.delete_group(strange)
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:

        async def finished():
            return (await relay.store.comparison.sweep()).finished is not None

        await until(finished)
        found = (await relay.store.comparison.sweep()).found
    assert pages() == [("/Users", "1"), ("/Users", "201"), ("/Users", "401"), ("/Groups", "1")]
    assert found == {"missing": 1}
