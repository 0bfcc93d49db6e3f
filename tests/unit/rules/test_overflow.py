"""Who goes to which part: no limit is passed, nobody moves, gaps are filled first."""

import random

from relay.rules.overflow import part_name, place

MOST = 50


def test_gaps_are_filled_before_a_new_part_is_made():
    assert place([1, 2, 3, 4], [1, 0, 2], {}, MOST) == [[1], [], [2, 3], [4]]


def test_who_tfe_still_has_in_a_part_goes_back_there():
    assert place([1, 2], [5, 5], {2: 1}, MOST) == [[1], [2]]


def test_a_seat_that_was_taken_meanwhile_is_not_kept():
    assert place([1, 2], [5, 0], {2: 1}, MOST) == [[1, 2], []]


def test_new_parts_are_full_before_the_next():
    assert [len(part) for part in place(list(range(120)), [0], {}, MOST)] == [0, 50, 50, 20]


def test_a_part_is_named_after_its_group_and_its_number():
    assert part_name("All staff", 3) == "All staff (3)"


def test_a_million_moves_pass_no_limit_and_move_nobody_who_is_placed():
    rng = random.Random(20_261_124)
    parts, seat = [set()], {}
    moves = 0
    while moves < 1_000_000:
        people = rng.sample(range(400), rng.randrange(1, 40))
        leaving = [one for one in people if one in seat]
        coming = [one for one in people if one not in seat]
        for one in leaving:
            parts[seat.pop(one)].discard(one)
        before = dict(seat)
        rooms = [MOST - len(part) for part in parts]
        for number, added in enumerate(place(coming, rooms, {}, MOST)):
            if number == len(parts):
                parts.append(set())
            parts[number].update(added)
            seat.update(dict.fromkeys(added, number))
        moves += len(people)
        assert max(map(len, parts)) <= MOST
        assert before.items() <= seat.items()
        assert sum(map(len, parts)) == len(seat)
    assert len(parts) <= 9
