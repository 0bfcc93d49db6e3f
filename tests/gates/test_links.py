"""Links between pages lead to files and headings that exist; so do the paths in code and rules."""

import re

import pytest
from support.pages import HOW_TOS, PAGES, ROOT, anchors, links

TOLD_ELSEWHERE = [
    *sorted((ROOT / "relay").rglob("*.py")),
    *(path for path in sorted((ROOT / "config").rglob("*")) if path.suffix in {".yml", ".yaml"}),
    *sorted((ROOT / "systemd").iterdir()),
    *(ROOT / name for name in ("Dockerfile", "Makefile", "pyproject.toml")),
]


def leads_somewhere(target, page):
    name, _, heading = target.partition("#")
    path = page.parent / name if name else page
    if not path.exists():
        return False
    return not heading or path.suffix != ".md" or heading in anchors(path.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files_and_headings(page):
    found = links(page.read_text())

    assert [target for target in found if not leads_somewhere(target, page)] == []


def test_a_link_to_a_heading_that_is_not_there_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One\n## `Two` and [three](x)!\n## One\n```sh\n# four\n```\n")

    assert anchors(page.read_text()) == {"one", "two-and-three", "one-1"}
    assert leads_somewhere("page.md#two-and-three", page)
    assert not leads_somewhere("#four", page)
    assert not leads_somewhere("other.md", page)


def test_pages_named_in_code_rules_and_manifests_exist():
    missing = {
        (str(path.relative_to(ROOT)), target)
        for path in TOLD_ELSEWHERE
        for target in re.findall(r"\bdocs/[\w/.-]+\.md(?:#[\w-]+)?", path.read_text())
        if not leads_somewhere(target, ROOT / "README.md")
    }

    assert missing == set()


def test_every_alert_has_a_runbook():
    text = (ROOT / "config" / "prometheus" / "alerts.yml").read_text()
    alerts = re.split(r"^ +- alert: ", text, flags=re.MULTILINE)[1:]
    runbooks = [re.search(r"runbook_url: docs/how-to/alerts\.md#\w+", one) for one in alerts]

    assert alerts
    assert None not in runbooks


def test_the_readme_leads_to_every_guide():
    found = links((ROOT / "README.md").read_text())

    assert {f"docs/how-to/{page.name}" for page in HOW_TOS} - set(found) == set()
