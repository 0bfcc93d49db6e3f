"""`scope = "own"`: a connection changes what it created or was given, and nothing else (decision 11)."""

from contextlib import closing

import pytest
from sqlite_utils import Database
from support.idp import add, group, patch_body, remove, user
from support.lab import lab_in

from relay.errors import NotOwned, Refused
from relay.rules import dialect
from relay.rules.guard import GuardPolicy
from relay.rules.types import Kind, Verb, Write
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.file.engine import open_plain
from relay.store.file.migrations import migrations
from relay.store.guarding import guard, owning
from relay.store.operate import giving
from relay.store.operate.giving import Estate
from relay.store.operate.held import Selection
from relay.store.operate.listing import ChangeFilter
from relay.store.state.rows import by_id

TITLE = {"op": "replace", "value": {"title": "Boss"}}


class Connection:
    """One identity provider of several on a lab."""

    def __init__(self, lab, name, *, own=True):
        self.lab, self.name, self.own = lab, name, own

    async def accept(self, write, identifier=None, *, answered=True):
        directory = self.lab.store.directory
        accepted = await directory.accept(self.name, write, identifier, own=self.own)
        if answered:
            directory.answered(accepted.change)
        return accepted

    async def post(self, body, **options):
        kind = Kind.USER if "userName" in body else Kind.GROUP
        accepted = await self.accept(dialect.parse_create(kind, body), **options)
        return accepted.resource.public_id

    async def user(self, name, **more):
        return await self.post(user(name, **more))

    async def group(self, name, *members):
        return await self.post(group(name, *members))

    async def patch(self, kind, identifier, *operations):
        return await self.accept(dialect.parse_patch(kind, patch_body(*operations)), identifier)

    async def put(self, kind, identifier, body):
        return await self.accept(dialect.parse_replace(kind, body), identifier)

    async def delete(self, kind, identifier):
        return await self.accept(Write(Verb.DELETE, kind), identifier)


@pytest.fixture
def okta(lab):
    return Connection(lab, "okta")


@pytest.fixture
def entra(lab):
    return Connection(lab, "entra")


@pytest.fixture
def admin(lab):
    return Connection(lab, "admin", own=False)


async def owner(lab, kind, identifier):
    return await lab.store.run(lambda tx: by_id(tx, kind, identifier).owner)


async def audited(lab):
    return await lab.store.run(
        lambda tx: tx.all(
            "SELECT actor, what ->> '$.verb' FROM audit WHERE event = 'not its own' ORDER BY id"
        )
    )


async def imported(lab, name):
    """A user that TFE had before the relay."""
    await lab.user(name)
    await lab.run()
    await lab.store.run(lambda tx: tx.run("UPDATE resource SET origin = 'import'"))
    return await lab.store.run(lambda tx: tx.value("SELECT public_id FROM resource"))


async def test_no_write_on_another_s_is_taken_and_each_is_in_the_audit_log(lab, okta, entra):
    ada = await okta.user("ada@example.com")
    before = await lab.counters()
    for write in (
        lambda: entra.put(Kind.USER, ada, user("eve@example.com")),
        lambda: entra.patch(Kind.USER, ada, TITLE),
        lambda: entra.delete(Kind.USER, ada),
    ):
        with pytest.raises(NotOwned, match=r"another connection's.*connections transfer") as told:
            await write()
        assert told.value.status == 403

    assert await lab.counters() == before
    assert (await lab.shadow(Kind.USER, ada))["userName"] == "ada@example.com"
    assert await audited(lab) == [("entra", verb) for verb in ("replace", "patch", "delete")]


async def test_what_tfe_had_before_is_nobody_s_until_it_is_given(lab, entra, admin):
    ada = await imported(lab, "ada@example.com")

    with pytest.raises(NotOwned, match="nobody's"):
        await entra.patch(Kind.USER, ada, TITLE)
    await admin.patch(Kind.USER, ada, TITLE)

    assert await owner(lab, Kind.USER, ada) == "nobody"


async def test_a_connection_for_all_changes_everything_and_takes_nothing_over(lab, okta, admin):
    ada = await okta.user("ada@example.com")

    await admin.patch(Kind.USER, ada, TITLE)
    await okta.patch(Kind.USER, ada, {"op": "replace", "value": {"title": "Chief"}})

    assert await owner(lab, Kind.USER, ada) == "okta"


async def test_a_name_of_another_s_is_409_and_its_id_is_not_told(lab, okta, entra):
    ada = await okta.user("ada@example.com")
    eve = await entra.user("eve@example.com")
    rename = {"op": "replace", "value": {"userName": "ADA@example.com"}}
    for write in (
        lambda: entra.user("Ada@example.com"),
        lambda: entra.patch(Kind.USER, eve, rename),
    ):
        with pytest.raises(Refused, match=r"another connection's.*connections transfer") as told:
            await write()
        assert (told.value.status, told.value.scim_type) == (409, "uniqueness")
        assert ada not in told.value.detail


async def test_a_group_may_have_anybody_s_users_and_only_its_owner_says_whom(lab, okta, entra):
    ada, bob = await okta.user("ada@example.com"), await entra.user("bob@example.com")
    crew = await entra.group("Crew", ada, bob)

    await entra.patch(Kind.GROUP, crew, remove(ada))
    await entra.patch(Kind.GROUP, crew, add(ada))
    with pytest.raises(NotOwned):
        await okta.patch(Kind.GROUP, crew, remove(ada))

    await okta.delete(Kind.USER, ada)  # a user who is gone is in no group, whosesoever
    await lab.run()
    assert await lab.members(crew) == {bob}


async def test_what_a_nested_group_s_owner_does_reaches_the_groups_above(tmp_path):
    async with lab_in(tmp_path, flatten=True) as lab:
        okta, entra = Connection(lab, "okta"), Connection(lab, "entra")
        ada, bob = await okta.user("ada@example.com"), await okta.user("bob@example.com")
        team = await okta.group("Team", ada)
        everyone = await entra.group("Everyone", team)

        await okta.patch(Kind.GROUP, team, add(bob))
        await lab.run()

        assert lab.roster("Everyone") == {"ada@example.com", "bob@example.com"}
        with pytest.raises(NotOwned):
            await okta.patch(Kind.GROUP, everyone, remove(team))


async def test_the_parts_of_a_large_group_go_with_it(tmp_path):
    async with lab_in(tmp_path, part=2) as lab:
        okta = Connection(lab, "okta")
        users = [await okta.user(f"user{number}@example.com") for number in range(5)]
        crew = await okta.group("Crew", *users[:2])

        await okta.patch(Kind.GROUP, crew, *(add(one) for one in users[2:]))
        await okta.patch(Kind.GROUP, crew, {"op": "replace", "value": {"displayName": "Gang"}})
        await lab.run()
        assert sorted(lab.names().values()) == ["Gang", "Gang (2)", "Gang (3)"]

        await okta.delete(Kind.GROUP, crew)
        await lab.run()
        assert lab.names() == {}


async def test_a_group_that_was_given_away_does_not_become_a_part_of_another_s(tmp_path):
    async with lab_in(tmp_path, part=2) as lab:
        okta = Connection(lab, "okta")
        await lab.group("Crew (2)")
        await lab.run()
        await lab.store.run(
            lambda tx: tx.run(
                "UPDATE resource SET origin = 'import', last_change = 0, given_to = 'entra'"
            )
        )
        users = [await okta.user(f"user{number}@example.com") for number in range(3)]

        with pytest.raises(Refused, match=r"Crew \(2\)"):
            await okta.group("Crew", *users)


async def test_what_is_nobody_s_does_not_become_a_part_of_an_own_group_by_its_name(tmp_path):
    async with lab_in(tmp_path, part=2) as lab:
        okta, admin = Connection(lab, "okta"), Connection(lab, "admin", own=False)
        await lab.group("Crew (2)", await lab.user("before@example.com"))
        await lab.run()
        await lab.store.run(
            lambda tx: tx.run("UPDATE resource SET origin = 'import', last_change = 0")
        )
        users = [await okta.user(f"user{number}@example.com") for number in range(3)]

        with pytest.raises(Refused, match=r"Crew \(2\).*connections transfer") as told:
            await okta.group("Crew", *users)
        assert told.value.status == 413
        crew = await okta.group("Crew", *users[:2])
        with pytest.raises(Refused, match=r"Crew \(2\)"):
            await okta.patch(Kind.GROUP, crew, add(users[2]))
        assert lab.roster("Crew (2)") == {"before@example.com"}

        await admin.patch(Kind.GROUP, crew, add(users[2]))
        await lab.run()
        assert lab.roster("Crew (2)") == {"user2@example.com"}


async def test_the_same_post_again_is_a_repeat_of_its_own_connection_only(lab, okta, entra):
    ada = await okta.post(user("ada@example.com"), answered=False)

    assert await okta.post(user("ada@example.com"), answered=False) == ada
    with pytest.raises(Refused) as told:
        await entra.user("ada@example.com")
    assert told.value.status == 409
    assert await owner(lab, Kind.USER, ada) == "okta"


async def test_after_it_was_given_away_a_repeated_post_is_a_duplicate(lab, okta):
    await okta.post(user("ada@example.com"), answered=False)
    await lab.store.run(lambda tx: tx.run("UPDATE resource SET given_to = 'entra'"))

    with pytest.raises(Refused, match="another connection's"):
        await okta.user("ada@example.com")


async def parked(lab, connection, name, **more):
    """A creation that TFE refused for good."""
    refusal = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    lab.tfe.faults.add(refusal, Match(method="POST", body=name, count=1))
    identifier = await connection.user(name, **more)
    await lab.run()
    assert await lab.shadow(Kind.USER, identifier) is None
    return identifier


async def test_a_creation_does_not_revive_what_another_s_was_refused(lab, okta, entra):
    refused = await parked(lab, okta, "ada@example.com")

    ada = await entra.user("ada@example.com")

    assert ada != refused
    assert await owner(lab, Kind.USER, ada) == "entra"
    assert await lab.shadow(Kind.USER, refused) is None
    [change] = await lab.store.changes(ChangeFilter(state="parked"))
    with pytest.raises(Refused, match="another User has the userName"):
        await lab.store.desk.retry(int(change["id"]), "root", "again")
    await lab.run()
    assert lab.user_in_tfe("ada@example.com") is not None


async def test_an_external_id_of_another_s_revives_nobody(lab, okta, entra):
    refused = await parked(lab, okta, "ada@example.com", externalId="00u1")

    assert await entra.user("bob@example.com", externalId="00u1") != refused


async def test_one_s_own_is_revived_and_for_all_anybody_s_is_and_changes_hands(lab, okta, admin):
    for connection in (okta, admin):
        refused = await parked(lab, okta, f"{connection.name}@example.com")
        body = user(f"{connection.name}@example.com", title="again")

        assert await connection.post(body) == refused
        assert await owner(lab, Kind.USER, refused) == connection.name


async def test_after_a_rejected_deletion_one_is_the_newer_creator_s_under_both_ids(
    lab, okta, entra
):
    policy = GuardPolicy(3600.0, {}, 0, (), ("ada@example.com",))
    await lab.store.run(lambda tx: guard.configure(tx, policy))
    ada = await okta.user("ada@example.com")
    await lab.store.desk.approve(Selection(), "root", "hired")
    await lab.run()
    await okta.delete(Kind.USER, ada)
    await entra.user("ada@example.com")
    await lab.store.desk.approve(Selection(connection="entra"), "root", "hers now")

    await lab.store.desk.reject(Selection(connection="okta"), "root", "she stays")

    assert await owner(lab, Kind.USER, ada) == "entra"


async def test_what_an_earlier_release_created_is_its_creator_s(tmp_path):
    path = tmp_path / "lab.db"
    with closing(open_plain(path)) as made:
        migrations.apply(Database(made), stop_before="0007_given_to")
        for identifier, origin in (("u-1", "okta"), ("u-2", "import")):
            made.execute(
                "INSERT INTO resource (kind, public_id, state, origin, name, name_key, active,"
                " email, shadow, created, modified) VALUES ('User', ?1, 'live', ?2, ?1, ?1, 1,"
                " 'x@x.org', '{}', 1, 1)",
                (identifier, origin),
            )
            made.execute(
                "INSERT INTO alias SELECT public_id, id FROM resource WHERE public_id = ?",
                (identifier,),
            )
    async with lab_in(tmp_path) as lab:
        assert await owner(lab, Kind.USER, "u-1") == "okta"
        assert await owner(lab, Kind.USER, "u-2") == "nobody"


async def test_the_owner_is_the_same_in_sql(lab, okta):
    await okta.user("ada@example.com")
    for origin, given in (
        ("okta", None),
        ("import", None),
        ("relay", None),
        ("import", "okta"),
        ("okta", "nobody"),
    ):
        await lab.store.run(
            lambda tx, row=(origin, given): tx.run(
                "UPDATE resource SET origin = ?, given_to = ?", row
            )
        )
        told = await lab.store.run(
            lambda tx: tx.one(f"SELECT {owning.OWNER}, public_id FROM resource")
        )
        assert told[0] == await owner(lab, Kind.USER, told[1])


async def test_who_is_named_one_by_one_is_given_in_one_piece_however_many(lab, monkeypatch):
    """A death between two batches would leave an order that is refused when it is given again."""
    monkeypatch.setattr(giving, "BATCH", 2)
    people = await lab.users(5)
    estate = Estate("idp", "okta", users=tuple(people))
    only = await lab.store.run(lambda tx: giving.named(tx, estate))
    given = await lab.store.run(lambda tx: giving.give(tx, estate, only, 0, ("ada", "why")))

    assert {one.id for one in given} == set(people)
