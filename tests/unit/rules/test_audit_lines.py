"""Exported lines prove what the chain proves, and a log stream's heads prove what it cannot."""

import hashlib
import json

import pytest

from relay.rules.audit_lines import Anchors, heads_in, moment, of_line, to_line
from relay.rules.chain import GENESIS, Entry, Head, Kept, commit, link

SALT = bytes(range(16))


def chained(count, actor="entra"):
    before, made = GENESIS, []
    for number in range(1, count + 1):
        words = f"Zoë {number}"
        what = '{"changes":[[1,4],[9,9]]}'
        entry = Entry(number, number, "delivered", actor, 4, 1, 2, what, commit(SALT, words))
        before = link(before, entry)
        made.append(Kept(entry, before, words, SALT))
    return made


def test_a_line_is_the_entry_again():
    [kept] = chained(1)
    assert of_line(json.loads(json.dumps(to_line(kept)))) == kept


def test_anybody_can_verify_an_export_with_json_and_hashlib():
    before = bytes(32)
    for one in [json.loads(json.dumps(to_line(kept))) for kept in chained(5)]:
        committed = hashlib.sha256(bytes.fromhex(one["salt"]) + one["words"].encode()).hexdigest()
        assert committed == one["commitment"]
        names = [
            "entry",
            "at_us",
            "event",
            "actor",
            "change",
            "resource",
            "attempt",
            "what",
            "commitment",
        ]
        text = json.dumps([one[name] for name in names], separators=(",", ":"), ensure_ascii=False)
        before = hashlib.sha256(before + text.encode()).digest()
        assert before.hex() == one["hash"]


def test_particulars_that_are_no_json_are_shown_as_they_are():
    [kept] = chained(1)
    line = to_line(Kept(kept.entry._replace(what="{"), kept.hash))
    assert line["what"] == "{"


def test_a_moment_has_microseconds():
    assert moment(1_700_000_000_000_001) == "2023-11-14T22:13:20.000001Z"


def heads(kept):
    return [Head(one.entry.number, one.hash) for one in kept]


def held_against(logged, chain, start=None):
    anchors = Anchors(iter(logged), start or Head())
    for head in chain:
        anchors.look(head)
    anchors.end()
    return anchors


def test_every_head_that_was_logged_is_met():
    chain = heads(chained(9))
    anchors = held_against([chain[2], chain[2], chain[8]], chain)
    assert (anchors.broken, anchors.checked) == (None, 3)


def test_a_chain_that_was_written_anew_is_found_out():
    logged, anew = heads(chained(9)), heads(chained(9, actor="okta"))
    number, why = held_against([logged[2], logged[8]], anew).broken
    assert (number, "another" in why) == (3, True)


def test_an_end_that_was_cut_off_is_found_out():
    chain = heads(chained(9))
    number, why = held_against([chain[2], chain[8]], chain[:6]).broken
    assert (number, "cut off" in why) == (9, True)


def test_a_log_in_which_the_chain_goes_back_says_so_itself():
    chain, anew = heads(chained(9)), heads(chained(9, actor="okta"))
    assert held_against([chain[8], anew[5]], chain).broken[0] == 6
    assert held_against([chain[8], anew[8]], chain).broken[0] == 9


def test_heads_of_what_was_pruned_are_passed_over_and_the_anchor_is_held_against_the_log():
    chain = heads(chained(9))
    anchors = held_against([chain[1], chain[4], chain[8]], chain[5:], start=chain[4])
    assert (anchors.broken, anchors.pruned, anchors.checked) == (None, 1, 2)
    forged = Head(5, bytes(32))
    assert held_against([chain[4]], chain[5:], start=forged).broken[0] == 5


def test_a_log_without_heads_proves_nothing_and_says_so():
    assert "no audit.head" in held_against([], heads(chained(2))).broken[1]


LOG = """
{"event": "relay.ready", "address": "x"}
not JSON, and audit.head in it
Nov 27 host scim-relay[1]: {"event": "audit.head", "entry": 3, "hash": "00ff"}
{"event": "audit.head", "entry": "3", "hash": "00ff"}
{"event": "other", "why": "audit.head"}
{"event": "audit.head", "entry": 4, "hash": "0fff"}
"""


def test_heads_are_found_in_a_log_among_everything_else():
    found = list(heads_in(LOG.splitlines()))
    assert found == [Head(3, b"\x00\xff"), Head(4, b"\x0f\xff")]


def test_a_head_in_the_log_whose_hash_is_none_is_not_met():
    chain = heads(chained(3))
    (damaged,) = heads_in(['{"event": "audit.head", "entry": 2, "hash": "no hash"}'])
    assert held_against([damaged], chain).broken[0] == 2


@pytest.mark.parametrize("logged", [1, 3])
def test_only_one_head_is_held_at_a_time(logged):
    taken = []

    def stream():
        for head in heads(chained(logged)):
            taken.append(head)
            yield head

    Anchors(stream(), Head())
    assert len(taken) == 1
