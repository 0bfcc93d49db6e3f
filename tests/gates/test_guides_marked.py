"""Every guide says under its title how far it was tried, in one of three forms."""

import re

import pytest
from support.pages import HOW_TOS, ROOT

MARKS = ("Run against the real thing", "Run against the stand-in", "From its documents")
MARK = re.compile(rf"^\*({'|'.join(MARKS)})(?:: [^*]+|\.)\*$", re.MULTILINE)


@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.stem)
def test_a_guide_says_how_far_it_was_tried(page):
    text = page.read_text()
    found = list(MARK.finditer(text))

    assert len(found) == 1, f"one of {MARKS} in italics, with how, under the title"
    assert re.fullmatch(r"# .+\n\n", text[: found[0].start()])


@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.stem)
def test_a_guide_that_was_run_names_the_test_that_runs_it(page):
    mark = MARK.search(page.read_text())
    named = re.findall(r"`((?:tests|fixtures)/[^`]+|systemd-analyze)`", mark[0])

    assert mark[1] == "From its documents" or named
    assert [name for name in named if "/" in name and not (ROOT / name).exists()] == []
