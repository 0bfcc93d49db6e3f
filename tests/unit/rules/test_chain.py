"""An entry of the audit log cannot be altered, left out or put in without its chain breaking."""

import hashlib
import json
from dataclasses import replace

import pytest

from relay.rules.chain import GENESIS, Entry, Head, Kept, Walk, canonical, commit, link

SALT = bytes(range(16))


def entry(number, words=None, **other):
    secret = None if words is None else commit(SALT, words)
    told = {"event": "accepted", "actor": "entra", "what": '{"verb":"create","kind":"User"}'}
    told |= {"change": number, "resource": 3, "attempt": None} | other
    return Entry(number=number, at_us=1_700_000_000_000_000 + number, commitment=secret, **told)


def chain(*entries):
    before, made = GENESIS, []
    for one, words in entries:
        before = link(before, one)
        made.append(Kept(one, before, words, None if words is None else SALT))
    return made


@pytest.fixture
def five():
    return chain(*((entry(number, f"user {number}"), f"user {number}") for number in range(1, 6)))


def walked(kept, start=None):
    walk = Walk(start or Head())
    for one in kept:
        walk.step(one)
    return walk


def test_a_chain_as_it_was_written_is_whole(five):
    walk = walked(five)
    assert (walk.entries, walk.broken, walk.at) == (5, None, Head(5, five[-1].hash))


ALTERED = {
    "the actor": {"actor": "okta"},
    "the time": {"at_us": 1},
    "the event": {"event": "dropped"},
    "the change": {"change": 9},
    "whom it is about": {"resource": 4},
    "the request": {"attempt": 7},
    "the particulars": {"what": '{"verb":"delete","kind":"User"}'},
    "the commitment": {"commitment": bytes(32)},
}


@pytest.mark.parametrize("altered", ALTERED.values(), ids=ALTERED)
def test_whatever_is_altered_in_an_entry_is_named_there(five, altered):
    one = five[2]
    five[2] = replace(one, entry=one.entry._replace(**altered))
    assert walked(five).broken[0] == 3


def test_an_entry_altered_with_its_hash_breaks_the_next(five):
    one = five[2].entry._replace(actor="okta")
    five[2] = replace(five[2], entry=one, hash=link(five[1].hash, one))
    assert walked(five).broken[0] == 4


def test_altered_words_are_named(five):
    five[2] = replace(five[2], words="user 4")
    number, why = walked(five).broken
    assert (number, "words" in why) == (3, True)


@pytest.mark.parametrize("salt", [None, bytes(16)])
def test_words_without_their_salt_prove_nothing(five, salt):
    five[2] = replace(five[2], salt=salt)
    assert walked(five).broken[0] == 3


def test_an_entry_that_is_left_out_is_named(five):
    del five[2]
    number, why = walked(five).broken
    assert (number, "missing" in why) == (3, True)


def test_forgotten_words_break_nothing_and_are_counted(five):
    five[2] = replace(five[2], words=None, salt=None)
    walk = walked(five)
    assert (walk.broken, walk.forgotten) == (None, 1)


def test_a_chain_goes_on_from_the_anchor_of_what_was_pruned(five):
    assert walked(five[3:], Head(3, five[2].hash)).broken is None
    assert walked(five[3:], Head(3, bytes(32))).broken[0] == 4
    assert walked(five[3:]).broken[0] == 1


def test_what_an_earlier_release_wrote_behind_the_chain_is_counted_and_not_inside_it(five):
    loose = Kept(entry(6), None)
    assert walked([*five, loose]).unchained == 1
    five[2] = replace(five[2], hash=None)
    assert walked(five).broken is not None


def test_nothing_after_the_first_broken_entry_is_believed(five):
    five[1] = replace(five[1], words="x")
    walk = walked(five)
    assert (walk.entries, walk.at.number) == (1, 1)


def test_the_canonical_form_is_plain_json_that_anybody_can_write():
    one = entry(7, "Zoë", actor="zoë (uid 0)", attempt=4)
    plain = [7, one.at_us, "accepted", "zoë (uid 0)", 7, 3, 4]
    plain += [{"verb": "create", "kind": "User"}]
    plain += [hashlib.sha256(SALT + "Zoë".encode()).hexdigest()]
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()

    assert canonical(one) == text
    assert link(GENESIS, one) == hashlib.sha256(bytes(32) + text).digest()
