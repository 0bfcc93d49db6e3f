"""Whatever identity providers and administrators do: a linked team is like its group."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from relay.simulator.errors import ScimError
from relay.simulator.records import GroupFields, UserFields
from relay.simulator.tfe import Tfe

NAMES = st.sampled_from(["ada", "bob", "cyd", "dan"])
GROUPS = st.sampled_from(["one", "two"])
TEAMS = st.integers(0, 2)


class Site(RuleBasedStateMachine):
    """Users, groups and three teams; what is refused changes nothing."""

    def __init__(self):
        super().__init__()
        self.tfe = Tfe()
        self.tfe.site.estate.found("acme", "a@acme.example", None)
        self.teams = [self.tfe.site.estate.form("acme", f"team-{n}").id for n in range(3)]
        self.frozen = {}

    def attempt(self, action, *arguments, **named):
        before = self.tfe.site.estate.teams()
        try:
            action(*arguments, **named)
        except ScimError:
            assert self.tfe.site.estate.teams() == before

    def ids(self, names):
        named = [self.tfe.directory.users.named(name) for name in names]
        return {found[0].stamp.id: None for found in named if found}

    @rule(name=NAMES)
    def provision(self, name):
        self.attempt(self.tfe.directory.create_user, UserFields(name, f"{name}@x"))

    @rule(name=NAMES)
    def deprovision(self, name):
        for user in self.tfe.directory.users.named(name):
            self.tfe.directory.delete_user(user.stamp.id)

    @rule(name=GROUPS, members=st.sets(NAMES))
    def push(self, name, members):
        directory = self.tfe.directory
        found = directory.groups.named(name)
        if found:
            fields = replace(found[0].fields, members=self.ids(members))
            directory.update_group(found[0], fields)
        else:
            directory.create_group(GroupFields(name, members=self.ids(members)))

    @rule(name=GROUPS)
    def drop(self, name):
        for group in self.tfe.directory.groups.named(name):
            self.tfe.directory.delete_group(group.stamp.id)

    @rule(team=TEAMS, name=GROUPS)
    def link(self, team, name):
        for group in self.tfe.directory.groups.named(name):
            self.attempt(self.tfe.site.links.make, self.teams[team], group.stamp.id)

    @rule(team=TEAMS)
    def unlink(self, team):
        self.attempt(self.tfe.site.links.cut, self.teams[team])

    @rule(team=TEAMS, paused=st.booleans())
    def pause(self, team, paused):
        self.attempt(self.tfe.site.links.pause, self.teams[team], paused=paused)

    @rule(name=GROUPS)
    def appoint(self, name):
        for group in self.tfe.directory.groups.named(name):
            self.tfe.site.people.site_admin_group = group.stamp.id

    @precondition(lambda self: len(self.tfe.directory.groups) > 0)
    @rule()
    def wipe(self):
        self.tfe.wipe()

    @invariant()
    def a_linked_team_has_its_group_s_members_or_is_paused_and_unchanged(self):
        directory = self.tfe.directory
        for team in self.tfe.site.estate.teams():
            if team.link is None or not team.link.paused:
                self.frozen.pop(team.id, None)
            if team.link is None:
                continue
            group = directory.group(team.link.group_id)
            if team.link.paused:
                assert self.frozen.setdefault(team.id, team.members) == team.members
            else:
                assert team.members == tuple(
                    directory.user(ident).account for ident in group.fields.members
                )

    @invariant()
    def the_site_admin_group_exists_and_its_members_are_administrators(self):
        people = self.tfe.site.people
        if people.site_admin_group is None:
            assert people.admins() == set()
        else:
            group = self.tfe.directory.group(people.site_admin_group)
            assert len(people.admins()) == len(group.fields.members)


TestSite = Site.TestCase
TestSite.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
