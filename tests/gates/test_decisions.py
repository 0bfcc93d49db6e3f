"""Decision records are numbered one after the other, each number once."""

from pathlib import Path

RECORDS = Path(__file__).resolve().parents[2] / "docs" / "decisions"


def test_each_number_is_given_once_and_none_is_left_out():
    numbers = sorted(int(record.name[:4]) for record in RECORDS.glob("*.md"))

    assert numbers == list(range(1, len(numbers) + 1))


def test_each_record_begins_with_its_number():
    for record in RECORDS.glob("*.md"):
        assert record.read_text().startswith(f"# {int(record.name[:4])}. "), record.name
