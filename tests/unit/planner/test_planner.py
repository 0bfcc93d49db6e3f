"""The planner's forms, limits and choices (contract, sections *Limits*, *Users*, *Groups*)."""

import orjson
import pytest

from relay.rules.contract import PATCH_SCHEMA, TFE, TargetProfile
from relay.rules.planner import Snapshot, plan
from relay.rules.types import Field, Fields, Kind

ADA = Fields("ada", "ext-1", active=True, email="ada@example.com")
CREW = Fields("crew", "grp-1")


def user(**changes):
    values = {
        "kind": Kind.USER,
        "target_id": "u1",
        "desired": ADA,
        "confirmed": ADA,
        "open": frozenset(),
    }
    return Snapshot(**{**values, **changes})


def group(**changes):
    values = {
        "kind": Kind.GROUP,
        "target_id": "g1",
        "desired": CREW,
        "confirmed": CREW,
        "open": frozenset(),
    }
    return Snapshot(**{**values, **changes})


def ids(count, start=0):
    return tuple(f"00000000-0000-4000-8000-{number:012d}" for number in range(start, start + count))


def operations(request):
    assert request.body["schemas"] == [PATCH_SCHEMA]
    return request.body["Operations"]


def test_a_resource_without_difference_needs_no_request():
    assert plan(user(), TFE).requests == ()
    assert plan(group(size=3), TFE).requests == ()


def test_a_missing_user_is_one_post_with_its_address_as_primary():
    snapshot = user(target_id=None, confirmed=None, open=frozenset(Field))

    (request,) = plan(snapshot, TFE).requests

    assert (request.method, request.path, request.creates) == ("POST", "/Users", True)
    assert request.fields == frozenset(Field)
    assert request.body == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ada",
        "externalId": "ext-1",
        "active": True,
        "emails": [{"value": "ada@example.com", "primary": True}],
    }


def test_an_unset_external_id_is_left_out_of_a_post():
    for kind, desired in (
        (Kind.USER, Fields("ada", None, True, "a@b.c")),
        (Kind.GROUP, Fields("crew")),
    ):
        snapshot = Snapshot(kind, None, desired, None, frozenset())

        (request,) = plan(snapshot, TFE).requests

        assert "externalId" not in request.body
        assert Field.EXTERNAL_ID in request.fields


def test_a_user_created_and_deactivated_at_once_is_one_inactive_post():
    snapshot = user(target_id=None, desired=Fields("ada", None, False, "a@b.c"))

    (request,) = plan(snapshot, TFE).requests

    assert request.body["active"] is False


def test_a_user_without_an_address_cannot_be_created():
    with pytest.raises(ValueError, match="without an address"):
        plan(user(target_id=None, desired=Fields("ada")), TFE)


def test_all_open_fields_of_a_user_travel_in_one_pathless_replace():
    (request,) = plan(user(open=frozenset(Field)), TFE).requests

    assert (request.method, request.path) == ("PATCH", "/Users/u1")
    assert operations(request) == [
        {
            "op": "Replace",
            "value": {
                "userName": "ada",
                "externalId": "ext-1",
                "active": True,
                "emails": [{"value": "ada@example.com", "primary": True}],
            },
        }
    ]
    assert request.fields == frozenset(Field)


def test_only_open_fields_are_sent_even_when_confirmed_is_unknown():
    snapshot = user(open=frozenset({Field.ACTIVE}), confirmed=None)

    (request,) = plan(snapshot, TFE).requests

    assert operations(request) == [{"op": "Replace", "value": {"active": True}}]


def test_clearing_a_users_external_id_is_a_remove_beside_the_replace():
    desired = Fields("ada", None, active=False, email="a@b.c")
    snapshot = user(desired=desired, open=frozenset({Field.ACTIVE, Field.EXTERNAL_ID}))

    (request,) = plan(snapshot, TFE).requests

    assert operations(request) == [
        {"op": "Replace", "value": {"active": False}},
        {"op": "Remove", "path": "externalId"},
    ]
    assert request.fields == {Field.ACTIVE, Field.EXTERNAL_ID}


def test_clearing_only_the_external_id_sends_no_empty_replace():
    snapshot = user(desired=Fields("ada", None, True, "a@b.c"), open=frozenset({Field.EXTERNAL_ID}))

    (request,) = plan(snapshot, TFE).requests

    assert operations(request) == [{"op": "Remove", "path": "externalId"}]


def test_what_tfe_cannot_be_told_to_clear_is_neither_sent_nor_claimed():
    snapshot = user(desired=Fields("ada"), open=frozenset({Field.ACTIVE, Field.EMAIL, Field.NAME}))

    (request,) = plan(snapshot, TFE).requests

    assert operations(request) == [{"op": "Replace", "value": {"userName": "ada"}}]
    assert request.fields == {Field.NAME}


def test_a_deletion_is_one_delete_and_ignores_every_other_difference():
    snapshot = group(desired=None, open=frozenset(Field), add=ids(3), remove=ids(2, 10))

    (request,) = plan(snapshot, TFE).requests

    assert (request.method, request.path, request.body) == ("DELETE", "/Groups/g1", None)
    assert request.deletes


def test_deleting_what_tfe_never_had_needs_no_request():
    assert plan(user(target_id=None, desired=None), TFE).requests == ()


def test_a_group_is_created_with_its_members_in_the_same_post():
    (request,) = plan(group(target_id=None, add=("u1", "u2")), TFE).requests

    assert request.body == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "crew",
        "externalId": "grp-1",
        "members": [{"value": "u1"}, {"value": "u2"}],
    }
    assert request.add == ("u1", "u2")


def test_an_empty_roster_is_left_out_of_a_post():
    (request,) = plan(group(target_id=None), TFE).requests

    assert "members" not in request.body


def test_a_group_is_never_created_with_more_members_than_tfe_allows():
    planned = plan(group(target_id=None, add=ids(1001)), TFE)

    assert planned.requests[0].add == ids(1000)
    assert "1 more" in planned.reason


def test_a_post_takes_as_many_members_as_its_bytes_allow():
    profile = TargetProfile(max_body_bytes=400)

    (request,) = plan(group(target_id=None, add=ids(20)), profile).requests

    assert 0 < len(request.add) < 20
    assert 300 < len(orjson.dumps(request.body)) <= 400


def test_a_post_whose_strings_alone_are_too_long_is_refused():
    desired = Fields("x" * 500)

    with pytest.raises(ValueError, match="too long"):
        plan(group(target_id=None, desired=desired), TargetProfile(max_body_bytes=400))


def test_a_thousand_additions_are_one_operation():
    (request,) = plan(group(add=ids(1000)), TFE).requests

    (operation,) = operations(request)
    assert (operation["op"], operation["path"]) == ("Add", "members")
    assert len(operation["value"]) == 1000
    assert request.add == ids(1000)


def test_each_removal_is_an_operation_of_its_own_and_goes_before_additions():
    snapshot = group(open=frozenset({Field.NAME}), add=("new",), remove=("a", "b"), size=1000)

    (request,) = plan(snapshot, TFE).requests

    assert operations(request) == [
        {"op": "Replace", "value": {"displayName": "crew"}},
        {"op": "Remove", "path": 'members[value eq "a"]'},
        {"op": "Remove", "path": 'members[value eq "b"]'},
        {"op": "Add", "path": "members", "value": [{"value": "new"}]},
    ]
    assert (request.add, request.remove) == (("new",), ("a", "b"))


def test_an_id_with_a_quote_cannot_leave_its_filter():
    (request,) = plan(group(remove=('x" or value pr or value eq "\\',)), TFE).requests

    (operation,) = operations(request)
    assert operation["path"] == 'members[value eq "x\\" or value pr or value eq \\"\\\\"]'


def test_an_id_is_percent_encoded_in_the_path():
    (request,) = plan(group(target_id="a/../b?c", add=("x",)), TFE).requests

    assert request.path == "/Groups/a%2F..%2Fb%3Fc"


@pytest.mark.parametrize("target_id", ["", ".", ".."])
def test_an_id_that_a_url_cannot_carry_is_refused(target_id):
    with pytest.raises(ValueError, match="cannot address"):
        plan(group(target_id=target_id, desired=None), TFE)


def test_a_group_is_told_both_its_attributes_in_one_operation():
    snapshot = group(open=frozenset({Field.NAME, Field.EXTERNAL_ID}))

    (request,) = plan(snapshot, TFE).requests

    assert operations(request) == [
        {"op": "Replace", "value": {"displayName": "crew", "externalId": "grp-1"}}
    ]


def test_a_groups_external_id_is_cleared_by_null_in_the_replace():
    snapshot = group(desired=Fields("crew"), open=frozenset({Field.EXTERNAL_ID}))

    (request,) = plan(snapshot, TFE).requests

    assert operations(request) == [{"op": "Replace", "value": {"externalId": None}}]
    assert request.fields == {Field.EXTERNAL_ID}


def test_a_group_has_no_address_and_no_active_to_send():
    assert plan(group(open=frozenset({Field.ACTIVE, Field.EMAIL})), TFE).requests == ()


def test_the_hundred_and_first_operation_opens_a_second_request():
    full = plan(group(remove=ids(100), size=100), TFE).requests
    over = plan(group(remove=ids(100), add=("new",), size=100), TFE).requests

    assert [len(operations(request)) for request in full] == [100]
    assert [len(operations(request)) for request in over] == [100, 1]
    assert [request.remove for request in over] == [ids(100), ()]
    assert [request.add for request in over] == [(), ("new",)]


def test_bytes_split_an_addition_into_requests_that_fit():
    profile = TargetProfile(max_body_bytes=500)

    requests = plan(group(add=ids(50)), profile).requests

    assert sum((request.add for request in requests), ()) == ids(50)
    assert all(len(orjson.dumps(request.body)) <= 500 for request in requests)
    assert len(requests) == 8


def test_bytes_split_removals_into_requests_that_fit():
    profile = TargetProfile(max_body_bytes=500)

    requests = plan(group(remove=ids(50)), profile).requests

    assert sum((request.remove for request in requests), ()) == ids(50)
    assert all(len(orjson.dumps(request.body)) <= 500 for request in requests)


def test_a_roster_is_replaced_whole_when_that_saves_requests():
    snapshot = group(
        remove=ids(300), add=ids(5, 900), roster=ids(5, 900), size=300, open=frozenset({Field.NAME})
    )

    planned = plan(snapshot, TFE)

    (request,) = planned.requests
    assert request.whole_roster
    assert operations(request) == [
        {
            "op": "Replace",
            "value": {
                "displayName": "crew",
                "members": [{"value": member} for member in ids(5, 900)],
            },
        }
    ]
    assert (request.add, request.remove) == (ids(5, 900), ids(300))
    assert "instead of 4" in planned.reason


def test_a_group_is_emptied_by_an_empty_roster():
    (request,) = plan(group(remove=ids(1000), roster=(), size=1000), TFE).requests

    assert operations(request) == [{"op": "Replace", "value": {"members": []}}]


def test_single_steps_win_when_the_whole_roster_saves_nothing():
    snapshot = group(remove=ids(20), roster=ids(3, 500), size=23)

    (request,) = plan(snapshot, TFE).requests

    assert not request.whole_roster


def test_a_roster_that_is_not_wholly_known_is_never_replaced():
    requests = plan(group(remove=ids(300), size=300), TFE).requests

    assert len(requests) == 3
    assert not any(request.whole_roster for request in requests)


def test_a_roster_past_a_limit_is_changed_in_steps():
    for profile in (TargetProfile(max_members=9), TargetProfile(max_body_bytes=400)):
        requests = plan(group(remove=ids(300), roster=ids(10, 500)), profile).requests

        assert not any(request.whole_roster for request in requests)


def test_a_known_roster_is_no_reason_to_send_it_when_only_a_name_differs():
    (request,) = plan(group(open=frozenset({Field.NAME}), roster=ids(3)), TFE).requests

    assert operations(request) == [{"op": "Replace", "value": {"displayName": "crew"}}]


@pytest.mark.parametrize("change", [{"remove": ("x" * 400,)}, {"add": ("x" * 400,)}])
def test_a_step_longer_than_any_body_is_refused(change):
    with pytest.raises(ValueError, match="one operation takes"):
        plan(group(**change), TargetProfile(max_body_bytes=300))


def test_every_plan_says_why():
    assert plan(group(add=ids(2)), TFE).reason == "0 fields, 0 removals, 2 additions in 1 request"
    assert plan(user(open=frozenset({Field.NAME})), TFE).reason == "1 fields in 1 request"
    assert plan(user(desired=None), TFE).reason == "delete"
