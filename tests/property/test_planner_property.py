"""From any state to any other: plans are legal at every step, short, and end where they should.

The oracle is a plain reading of the contract, kept apart from the planner and from the simulator.
"""

import math
import re

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.rules.contract import TargetProfile
from relay.rules.planner import Snapshot, plan
from relay.rules.types import Field, Fields, Kind

REMOVE = re.compile(r'members\[value eq ("(?:[^"\\]|\\.)*")\]')


class Oracle:
    """One resource of TFE, changed only by documented forms."""

    def __init__(self, profile, kind, fields, members):
        self.profile = profile
        self.kind = kind
        self.attributes = None if fields is None else as_attributes(kind, fields)
        self.members = list(members)

    def execute(self, request):
        if request.body is not None:
            assert len(orjson.dumps(request.body)) <= self.profile.max_body_bytes
        match request.method:
            case "DELETE":
                assert request.body is None
                self.attributes, self.members = None, []
            case "POST":
                assert self.attributes is None
                body = dict(request.body)
                del body["schemas"]
                self.members = [member["value"] for member in body.pop("members", [])]
                self.attributes = {"externalId": None, **body}
            case "PATCH":
                assert self.attributes is not None
                self.patch(request.body["Operations"])
        assert len(self.members) == len(set(self.members))

    def patch(self, operations):
        assert 0 < len(operations) <= self.profile.max_operations
        for operation in operations:
            match operation:
                case {"op": "Replace", "value": dict(values)} if "path" not in operation:
                    self.replace(dict(values))
                case {"op": "Remove", "path": "externalId"} if self.kind is Kind.USER:
                    self.attributes["externalId"] = None
                case {"op": "Remove", "path": path} if self.kind is Kind.GROUP:
                    assert set(operation) == {"op", "path"}
                    gone = orjson.loads(REMOVE.fullmatch(path).group(1))
                    self.members = [member for member in self.members if member != gone]
                case {"op": "Add", "path": "members", "value": list(values)} if values:
                    new = [member["value"] for member in values]
                    self.members += [member for member in new if member not in self.members]
                case _:
                    raise AssertionError(operation)
            assert len(self.members) <= self.profile.max_members

    def replace(self, values):
        assert values
        if "members" in values:
            assert self.kind is Kind.GROUP
            self.members = [member["value"] for member in values.pop("members")]
        assert set(values) <= set(self.attributes)
        self.attributes.update(values)


def as_attributes(kind, fields):
    if kind is Kind.GROUP:
        return {"displayName": fields.name, "externalId": fields.external_id}
    return {
        "userName": fields.name,
        "externalId": fields.external_id,
        "active": fields.active,
        "emails": [{"value": fields.email, "primary": True}],
    }


def differing(before, after):
    if before is None:
        return frozenset(Field)
    return frozenset(
        field for field in Field if getattr(before, field.value) != getattr(after, field.value)
    )


texts = st.text(st.characters(blacklist_categories=["Cs"], min_codepoint=1), min_size=1, max_size=8)
externals = st.none() | texts
users = st.builds(Fields, texts, externals, st.booleans(), texts)
groups = st.builds(Fields, texts, externals)
member_ids = st.integers(0, 400).map(lambda number: f'00000000-0000-4000-8000-"{number:011d}')
profiles = st.builds(
    TargetProfile,
    max_operations=st.sampled_from([2, 5, 100]),
    max_body_bytes=st.sampled_from([1500, 4000, 1_000_000]),
    max_members=st.just(60),
)


@given(st.none() | users, st.none() | users, st.booleans())
def test_any_user_becomes_any_other_in_at_most_one_request(before, after, unknown):
    profile = TargetProfile()
    oracle = Oracle(profile, Kind.USER, before, ())
    opened = frozenset() if after is None else differing(before, after)
    if unknown:
        opened |= {Field.ACTIVE}
    snapshot = Snapshot(Kind.USER, None if before is None else "id", after, before, opened)

    requests = plan(snapshot, profile).requests
    for request in requests:
        oracle.execute(request)

    assert oracle.attributes == (None if after is None else as_attributes(Kind.USER, after))
    assert len(requests) <= 1


rosters = st.lists(member_ids, unique=True, max_size=60)


@settings(max_examples=300, deadline=None)
@given(
    profiles,
    st.none() | groups,
    st.none() | groups,
    rosters,
    rosters,
    rosters,
    st.booleans(),
)
def test_any_group_becomes_any_other_legally_and_shortly(
    profile, before, after, confirmed, desired, shaken, known
):
    """`shaken` are members an ambiguous attempt touched: unknown, so they are sent again."""
    held = [] if before is None else confirmed
    wanted = [] if after is None else desired
    in_doubt = set(shaken) & set(held)
    snapshot = Snapshot(
        Kind.GROUP,
        None if before is None else "id",
        after,
        before,
        frozenset() if after is None else differing(before, after),
        add=tuple(m for m in wanted if m not in held or m in in_doubt),
        remove=tuple(m for m in held if m not in wanted),
        size=len(held),
        roster=tuple(wanted) if known else None,
    )
    oracle = Oracle(profile, Kind.GROUP, before, held)

    count, whole, taken = execute_until_empty(oracle, snapshot, profile)

    assert oracle.attributes == (None if after is None else as_attributes(Kind.GROUP, after))
    assert sorted(oracle.members) == sorted(wanted)
    assert count <= floor(snapshot, profile, whole) + 1
    assert taken == {*snapshot.add, *snapshot.remove} or after is None


def execute_until_empty(oracle, snapshot, profile):
    """Send the plan, then plan what a create could not carry, as the delivery does."""
    requests = list(plan(snapshot, profile).requests)
    for request in requests:
        oracle.execute(request)
    if requests and requests[0].creates:
        left = tuple(member for member in snapshot.add if member not in requests[0].add)
        rest = Snapshot(
            snapshot.kind, "id", snapshot.desired, snapshot.desired, frozenset(), add=left
        )
        for request in plan(rest, profile).requests:
            oracle.execute(request)
            requests.append(request)
    whole = any(request.whole_roster for request in requests)
    taken = {member for request in requests for member in (*request.add, *request.remove)}
    return len(requests), whole, taken


def floor(snapshot, profile, whole):
    """No legal plan is shorter: counted in operations and in bytes that must cross the wire."""
    if snapshot.desired is None:
        return 0 if snapshot.target_id is None else 1
    if whole:
        return 1
    fields = bool(snapshot.open & {Field.NAME, Field.EXTERNAL_ID})
    payload = sum(len(orjson.dumps({"value": member})) + 1 for member in snapshot.add)
    if snapshot.target_id is None:
        return max(1, math.ceil(payload / profile.max_body_bytes))
    operations = fields + len(snapshot.remove) + bool(snapshot.add)
    payload += sum(len(orjson.dumps(member)) + 45 for member in snapshot.remove)
    by_bytes = math.ceil(payload / (profile.max_body_bytes - 90))
    needed = max(math.ceil(operations / profile.max_operations), by_bytes)
    return min(needed, 1) if whole_fits(snapshot, profile) else needed


def whole_fits(snapshot, profile):
    if snapshot.roster is None:
        return False
    payload = sum(len(orjson.dumps({"value": member})) + 1 for member in snapshot.roster)
    return payload + 400 <= profile.max_body_bytes
