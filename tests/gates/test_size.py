"""Small files with one idea each, functions that read at a glance (style section 1)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
SOURCES = sorted((ROOT / "relay").rglob("*.py"))


def too_long(text):
    """What is over the budget in one file's text."""
    lines = text.count("\n")
    found = [f"file of {lines} lines"] if lines > MAX_FILE_LINES else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                found.append(f"{node.name} of {length} lines")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_files_and_functions_stay_small_and_say_what_they_are_for(path):
    text = path.read_text()

    assert too_long(text) == []
    assert ast.get_docstring(ast.parse(text))


def test_the_gate_sees_a_long_file_and_a_long_function():
    function = "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES

    assert too_long(function) == ["f of 41 lines"]
    assert too_long("x = 1\n" * 301) == ["file of 301 lines"]
