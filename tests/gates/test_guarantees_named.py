"""Every guarantee has its module, its promise in words, and its proof on the page."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "tests" / "guarantees"
PAGE = ROOT / "docs" / "explanation" / "guarantees.md"
IDS = [
    f"{letter}{number}"
    for letter, last in (("A", 10), ("D", 11), ("L", 10), ("S", 2), ("C", 3))
    for number in range(1, last + 1)
]


def modules():
    return {path.stem.removeprefix("test_").upper(): path for path in MODULES.glob("test_*.py")}


def test_each_guarantee_has_one_module_and_nothing_else_is_there():
    assert sorted(modules()) == sorted(IDS)


def test_each_module_begins_with_its_guarantee_and_has_a_test_that_runs_in_the_test_run():
    for name, path in modules().items():
        tree = ast.parse(path.read_text())
        assert (ast.get_docstring(tree) or "").startswith(f"{name}: "), path.name
        tests = [
            one
            for one in ast.walk(tree)
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            and one.name.startswith("test_")
        ]
        soak = [one for one in tests if "soak" in [ast.unparse(d)[-4:] for d in one.decorator_list]]
        assert len(tests) > len(soak), path.name


def test_the_page_lists_each_guarantee_once_with_a_proof_that_exists():
    rows = re.findall(r"^\| ([A-Z]\d+) \| (.+?) \| (.+?) \|$", PAGE.read_text(), re.MULTILINE)
    assert [name for name, _, _ in rows] == IDS
    for name, _, proof in rows:
        named = re.findall(r"`(tests/[\w/.]+)`", proof)
        assert f"tests/guarantees/test_{name.lower()}.py" in named
        assert all((ROOT / one).exists() for one in named), proof
