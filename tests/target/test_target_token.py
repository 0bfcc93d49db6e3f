"""The token file: replaced at any time, never shown (P11, S1)."""

import os

import pytest

from relay.errors import NotSent
from relay.target import FixedToken, TokenFile


def replace(path, text):
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    fresh.rename(path)


def test_blanks_round_the_token_are_not_part_of_it(tmp_path):
    path = tmp_path / "token"
    path.write_text(" secret \n")

    assert TokenFile(path).reveal() == "secret"


def test_an_atomic_replacement_is_noticed_even_if_time_and_size_agree(tmp_path):
    path = tmp_path / "token"
    path.write_text("one")
    os.utime(path, ns=(1, 1))
    token = TokenFile(path)
    assert (token.reveal(), token.version) == ("one", 1)

    fresh = tmp_path / "fresh"
    fresh.write_text("two")
    os.utime(fresh, ns=(1, 1))
    fresh.rename(path)

    assert (token.version, token.reveal()) == (2, "two")


def test_a_swapped_symlink_is_noticed_as_kubernetes_does_it(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "token").write_text("one")
    (tmp_path / "b" / "token").write_text("two")
    link = tmp_path / "data"
    link.symlink_to(tmp_path / "a")
    token = TokenFile(link / "token")
    assert token.reveal() == "one"

    swap = tmp_path / "swap"
    swap.symlink_to(tmp_path / "b")
    swap.rename(link)

    assert token.reveal() == "two"


@pytest.mark.parametrize("text", ["", "\n", "two words", "tok\x00en", "t\u00f6ken", "a\nb"])
def test_a_malformed_replacement_leaves_the_last_good_token_in_use(tmp_path, text):
    path = tmp_path / "token"
    path.write_text("good")
    token = TokenFile(path)
    assert token.reveal() == "good"

    replace(path, text)
    assert (token.reveal(), token.version) == ("good", 1)

    replace(path, "better")
    assert (token.reveal(), token.version) == ("better", 2)


def test_a_file_that_vanishes_leaves_the_last_good_token_in_use(tmp_path):
    path = tmp_path / "token"
    path.write_text("good")
    token = TokenFile(path)
    token.reveal()
    path.unlink()

    assert token.reveal() == "good"


@pytest.mark.parametrize("text", ["", "canary word", "x" * 70_000])
def test_without_any_good_token_the_reason_is_given_and_not_the_text(tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text)
    token = TokenFile(path)

    with pytest.raises(NotSent) as caught:
        token.reveal()

    assert str(path) in str(caught.value)
    assert "canary" not in str(caught.value)
    assert token.version == 0


def test_a_directory_or_nothing_is_no_token_file(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotSent, match="cannot read the token file"):
            TokenFile(path).reveal()


def test_writing_the_same_token_again_is_no_new_version(tmp_path):
    path = tmp_path / "token"
    path.write_text("same")
    token = TokenFile(path)
    token.reveal()
    replace(path, "same\n")

    assert (token.reveal(), token.version) == ("same", 1)


def test_no_representation_shows_the_token(tmp_path):
    path = tmp_path / "token"
    path.write_text("canary")
    token = TokenFile(path)
    token.reveal()

    assert "canary" not in repr(token)
    assert "canary" not in repr(FixedToken("canary"))


def test_a_fixed_token_stays_what_it_is():
    token = FixedToken("fixed")

    assert (token.reveal(), token.version) == ("fixed", 1)
