"""A profile with an error is refused in one sentence: file, line, key, and what is wrong."""

import pytest

from schemas.description import contradictions
from schemas.profile import builtin_profiles, load_profile
from schemas.statuses import StatusMeaning
from schemas.toml_reader import ProfileError

MINIMAL = 'name = "acme"\n[statuses]\ndelivery_done = ["Delivered"]\n'


def fault(text: str) -> str:
    with pytest.raises(ProfileError) as caught:
        load_profile(text, origin="couriers/acme.toml")
    return str(caught.value)


def lines(*entries: str) -> str:
    return "\n".join(entries) + "\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            'name = "acme"\ntitle = Acme\n',
            "line 2: this is not valid TOML: Invalid value.",
            id="syntax",
        ),
        pytest.param(
            MINIMAL + 'bag_picked = [\n  "Picked",\n',
            "line 5: this is not valid TOML: Invalid value.",
            id="syntax at the end of the file",
        ),
        pytest.param(
            'titel = "Acme"\n' + MINIMAL,
            'line 1: "titel" is not a known key. Did you mean "title"?',
            id="unknown key",
        ),
        pytest.param(
            MINIMAL + "auto_dispatch = true\n",
            'line 4: "statuses.auto_dispatch" is not a meaning of a status. Known: ',
            id="key in the wrong table",
        ),
        pytest.param(
            'auto_dispatch = "yes"\n' + MINIMAL,
            'line 1: "auto_dispatch" must be true or false.',
            id="wrong type",
        ),
        pytest.param(
            MINIMAL + 'delivered = ["Done"]\n',
            'line 4: "statuses.delivered" is not a meaning of a status. Did you mean '
            '"delivery_done"?',
            id="unknown milestone",
        ),
        pytest.param(
            lines(MINIMAL, "[headers]", "remark = [", '  "Note",', "]", "location = [", '  "note",')
            + "]\n",
            'line 10: "headers.location" "note" already stands for remark.',
            id="one header for two roles, in the line that says so",
        ),
        pytest.param(
            lines(MINIMAL, "[headers]", 'order_ids = ["X"]'),
            'line 6: "headers.order_ids" is not a role of a column. Did you mean "order_id"?',
            id="unknown role",
        ),
        pytest.param(
            lines(MINIMAL + "bag_picked = [", '  "Picked",', '  "delivered",', "]"),
            'line 3: "statuses.delivery_done" "Delivered" also stands under another meaning.',
            id="one status in two spellings with two meanings",
        ),
        pytest.param(
            lines(
                MINIMAL + 'no_milestone = ["T-001..T-010"]',
                'ambiguous = ["T-005..T-020"]',
            ),
            '"statuses.ambiguous" "T-005..T-020" also stands under another meaning.',
            id="ranges that overlap",
        ),
        pytest.param(
            lines(
                MINIMAL, "[types.DL]", 'delivery_done = ["A"]', "[types.dl]", 'ambiguous = ["B"]'
            ),
            '"types.dl" stands there twice, in two spellings.',
            id="one type twice",
        ),
        pytest.param(
            lines(MINIMAL, "[direction]", 'return = ["1"]', 'rto = ["1"]'),
            'line 7: "direction.rto" "1" already stands for return.',
            id="one word for two directions",
        ),
        pytest.param(
            lines(MINIMAL, "[reasons]", '"EOD-6" = 6', '"eod 6" = 7'),
            'line 7: "reasons.eod 6" also stands with another number, in another spelling.',
            id="one reason with two numbers",
        ),
        pytest.param(
            lines(MINIMAL, "[headers]", 'status = ["Status", " "]'),
            'line 6: "headers.status" has an empty text in its list. Delete it.',
            id="empty header",
        ),
        pytest.param(
            lines(MINIMAL, "[headers]", "courier = []").replace(
                "name", 'required = ["courier"]\nname', 1
            ),
            'line 1: "required" names "courier", which has no header in [headers].',
            id="a required role without a header",
        ),
        pytest.param(
            lines(MINIMAL, "[dates.event_time]", 'formats = ["dd-mm-yyyy", "dd-dd-yyyy"]'),
            'line 6: "dates.event_time.formats" "dd-dd-yyyy" is not a date such as "dd-mm-yyyy".',
            id="bad date format",
        ),
        pytest.param(
            lines(MINIMAL, "[dates.event_time]", 'formats = ["dd/mm/yyyy", "mm/dd/yyyy"]'),
            'says both day first and month first for dates with "/". Keep the one',
            id="both orders with one separator",
        ),
        pytest.param(
            lines(MINIMAL, "[dates]", 'output = "dd-mm-yyyy"'),
            'line 6: "dates.output" is not a format of day, month and year: "dd-mm-yyyy". Write it',
            id="a date output that says nothing",
        ),
        pytest.param(
            lines(MINIMAL, "[dates]", 'output = "%Y-%m"'),
            "is not a format of day, month and year",
            id="a date output without the day",
        ),
        pytest.param(
            'zone = "Asia"\n' + MINIMAL,
            'line 1: "zone" names no time zone: "Asia". Write it like "Asia/Kolkata".',
            id="a zone that is a folder of zones",
        ),
        pytest.param(
            'zone = "../etc/passwd"\n' + MINIMAL, '"zone" names no time zone', id="a zone elsewhere"
        ),
        pytest.param(
            lines(MINIMAL, "[helpers]", 'clock = ["Status Date"]'),
            'line 6: "helpers.clock" "Status Date" already stands for event_time.',
            id="a helper that is a role",
        ),
    ],
)
def test_the_sentence_names_file_line_key_and_reason(text: str, told: str) -> None:
    message = fault(text)
    assert message.startswith("couriers/acme.toml, line ")
    assert told in message
    assert "\n" not in message


def test_what_is_not_confirmed_means_nothing_and_loads() -> None:
    profile = load_profile(
        lines(
            'name = "acme"',
            "[headers]",
            'order_id = ["?Jhola"]',
            'status = ["Haal", "?Haalat"]',
            "[statuses]",
            'delivery_done = ["?Delivered", "Pahuncha"]',
            'unconfirmed = ["Gaya"]',
        ),
        origin="acme.toml",
    )
    table = profile.statuses
    assert table.rule("Delivered").meaning is StatusMeaning.UNCONFIRMED
    assert table.rule("GAYA").meaning is StatusMeaning.UNCONFIRMED
    assert table.rule("Pahuncha").milestone == 2
    assert {role.value: aliases for role, aliases in profile.headers.items()}["status"] == ("haal",)
    assert "jhola" not in {a for aliases in profile.headers.values() for a in aliases}
    assert profile.unconfirmed == (
        "headers.order_id: Jhola",
        "headers.status: Haalat",
        "statuses: Delivered",
        "statuses: Gaya",
    )


def test_no_built_in_profile_is_a_draft_or_contradicts_plain_words() -> None:
    assert not [name for name, each in builtin_profiles().items() if each.unconfirmed]
    assert not [told for each in builtin_profiles().values() for told in contradictions(each)]
