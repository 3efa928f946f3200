"""Words for nothing of programs and people mean nothing, in every column."""

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root
from tests.acceptance.test_hazards_of_reading import sent
from tests.fakes.courier_sheet import sheet

WORDS = (
    *("nan", "NULL", "None", "N/A", "#N/A", "NaT", "<NA>", "\\N", "N.A.", "(blank)", "[NULL]"),
    *("undefined", "-", "--", "—", "–", "n/a", "null", "Not Applicable", "#N/A N/A"),
    *("n/a.", "-NA-", "null.", "nil.", "'NULL'"),
)
COLUMNS = ("Remarks", "Location", "Event Time", "Is Reverse", "RTO AWB", "EDD", "NDR Reason")


def test_words_for_nothing_are_nothing_in_every_column(root: Root, api: SandboxHandle) -> None:
    text = f"Order ID,Status,{','.join(COLUMNS)}\n"
    for at, word in enumerate(WORDS):
        text += f"A{at:02},Delivered,{','.join([word] * len(COLUMNS))}\n"
    root.drop("nothing.csv", text)
    assert root.once().code == 0
    told = root.of("nothing")
    assert told.counts == {"accepted": len(WORDS)}
    assert told.codes <= {"NO_EVENT_TIME"}
    assert len(sent(api)) == len(WORDS)


@pytest.mark.parametrize("word", WORDS)
def test_words_for_nothing_are_no_part_of_an_update(word: str) -> None:
    headers = ["Order ID", "Status", *COLUMNS]
    assert "meta" not in sheet(headers, ["A1", "Delivered", *[word] * len(COLUMNS)]).update


def test_a_word_for_nothing_is_no_order_id_and_no_status(root: Root, api: SandboxHandle) -> None:
    ids = "".join(f"{word},Delivered\n" for word in WORDS)
    statuses = "".join(f"C{at},{word}\n" for at, word in enumerate(WORDS))
    sound = "".join(f"D{at:03},Delivered\n" for at in range(50))
    root.drop("missing.csv", f"Order ID,Status\n{ids}{statuses}{sound}")
    assert root.once().code == 3
    assert len(sent(api)) == 50
    codes = [line["codes"] for line in root.of("missing").lines()]
    assert codes[: len(WORDS)] == ["ID_MISSING:order_id"] * len(WORDS)
    assert codes[len(WORDS) : 2 * len(WORDS)] == ["STATUS_MISSING:status"] * len(WORDS)
