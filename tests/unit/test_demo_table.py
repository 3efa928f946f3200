"""The README's table is what the demo holds itself to: no line of it is passed over."""

import pytest

from pipeline.cli.demo import COUNTS, HEADINGS, find_samples, read_table

HEAD = f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}\n"
LINE = "| `delhivery/a b (1).csv` | a report | 6 | 1 | 1 | 1 | 1 | 1 | 1 | completed |\n"


def table_with(line: str) -> str:
    return f"# Title\n\nWords.\n\n{HEAD}{line}\nMore words | with bars.\n"


def test_a_line_tells_path_counts_and_end():
    (found,) = read_table(table_with(LINE))
    assert found.key == ("delhivery", "a b (1).csv")
    assert found.what == "a report"
    assert found.counts == {"total": 6} | dict.fromkeys(COUNTS[1:], 1)
    assert found.ends_as == "completed"


def test_a_file_of_the_top_folder_has_no_sub_folder():
    (found,) = read_table(table_with(LINE.replace("delhivery/", "")))
    assert found.key == ("", "a b (1).csv")


def test_lines_keep_their_order_and_end_with_the_table():
    later = LINE.replace("a b (1)", "0")
    assert [each.key[1] for each in read_table(table_with(LINE + later))] == [
        "a b (1).csv",
        "0.csv",
    ]


@pytest.mark.parametrize(
    "line", [LINE.replace("| 6 |", "| six |"), LINE.replace("| a report ", ""), ""]
)
def test_a_wrong_line_is_never_passed_over(line):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        read_table(table_with(line))


def test_a_readme_without_the_table_is_no_expectation():
    with pytest.raises(ValueError, match="no table with the columns file, what it is"):
        read_table("| file | total |\n|---|---|\n| `a.csv` | 1 |\n")


def test_the_readme_lists_exactly_the_samples_that_are_there():
    samples = find_samples()
    listed = {each.path for each in read_table((samples / "README.md").read_text(encoding="utf-8"))}
    there = {entry.name for entry in samples.iterdir() if entry.is_file()}
    there |= {
        f"{folder.name}/{entry.name}"
        for folder in samples.iterdir()
        if folder.is_dir() and folder.name != "__pycache__"
        for entry in folder.iterdir()
    }
    assert listed == there - {"README.md", "make_workbook.py", ".gitattributes"}
