"""Courier profiles are data: read strictly, with the place of every fault."""

import pytest

from schemas.profile import builtin_profiles, load_profile
from schemas.statuses import Direction, StatusMeaning
from schemas.toml_reader import ProfileError
from schemas.vocabulary import Role

MINIMAL = 'name = "acme"\n[statuses]\ndelivery_done = ["Delivered"]\n'


def fault(text: str) -> str:
    with pytest.raises(ProfileError) as caught:
        load_profile(text, origin="couriers/acme.toml")
    return str(caught.value)


def test_all_couriers_are_built_in_with_generic_first() -> None:
    assert list(builtin_profiles()) == [
        "generic",
        "bluedart",
        "clickpost",
        "delhivery",
        "dtdc",
        "ecomexpress",
        "ekart",
        "increff",
        "shadowfax",
        "shiprocket",
        "unicommerce",
        "xpressbees",
    ]


def test_one_file_with_three_lines_is_a_courier() -> None:
    profile = load_profile(MINIMAL, origin="acme.toml")
    assert profile.title == "acme"
    assert profile.statuses.rule("DELIVERED").milestone == 2
    generic = builtin_profiles()["generic"]
    assert profile.headers == generic.headers
    assert profile.direction("RVP") is Direction.RETURN
    assert profile.required == (Role.ORDER_ID, Role.STATUS)
    assert profile.zone == ""


def test_an_unknown_key_is_named_with_line_and_suggestion() -> None:
    message = fault(MINIMAL + "\n[dates]\nday_frist = true\n")
    assert message == (
        'couriers/acme.toml, line 6: "dates.day_frist" is not a known key. '
        'Did you mean "day_first"?'
    )


def test_an_unknown_section_is_named() -> None:
    assert '"statuses.on_retrun" is not a known key. Did you mean "on_return"?' in fault(
        MINIMAL + "[statuses.on_retrun]\n"
    )


def test_an_unknown_key_without_likeness_lists_the_known_ones() -> None:
    message = fault("zzzzqqqq = 1\n" + MINIMAL)
    assert "line 1" in message
    assert "Known: name, " in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = acme\n", "line 1: this is not valid TOML"),
        ('name = "Acme Couriers"\n' + MINIMAL[14:], '"name" must be small letters'),
        ("title = 5\n" + MINIMAL, '"title" must be a text in quotes'),
        (MINIMAL + "[ids]\ndigits_only = 1\n", '"ids.digits_only" must be true or false'),
        (MINIMAL + "[ids]\nmin_length = true\n", '"ids.min_length" must be a whole number'),
        (MINIMAL + "[ids]\nmax_length = 51\n", "must lie between min_length and 50"),
        (MINIMAL + '[headers]\norder_id = ["AWB No"]\n', "an AWB is never the order id"),
        (MINIMAL + '[headers]\norder_id = "Order"\n', "must be a list of texts"),
        (MINIMAL + '[headers]\nawb = ["X"]\nremark = ["x"]\n', '"x" already stands for awb'),
        (MINIMAL + '[headers]\norderid = ["X"]\n', 'Did you mean "order_id"?'),
        (
            MINIMAL + '[types.X]\nbag_pickd = ["a"]\n',
            'line 5: "types.X.bag_pickd" is not a meaning',
        ),
        ('zone = "Asia/Kolkatta"\n' + MINIMAL, '"zone" names no time zone: "Asia/Kolkatta"'),
        ('required = ["stauts"]\n' + MINIMAL, '"required" names no role: "stauts"'),
        (MINIMAL + '[dates.event_time]\nread_as = "unix"\n', "must be one of text, epoch"),
        (MINIMAL + '[dates.event_time]\nformats = ["dd/yyyy"]\n', "is not a date such as"),
        (MINIMAL + '[direction]\nfilled_rto_awb = "back"\n', 'must be "rto" or "maybe_rto"'),
        (MINIMAL + '[reasons]\n"EOD-6" = -6\n', "must be a whole number of at least 0"),
        ('name = "acme"\n', '"statuses" is missing'),
        (MINIMAL + 'no_milestone = ["T-1..S-2"]\n', "is not a range such as"),
        (MINIMAL + 'bag_picked = ["pick*"]\n', "only [statuses] no_milestone may use *"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    message = fault(text)
    assert message.startswith("couriers/acme.toml")
    assert told in message


def test_one_status_with_two_meanings_is_refused() -> None:
    message = fault(MINIMAL + 'bag_picked = ["DELIVERED"]\n')
    assert "also stands under another meaning" in message


def test_the_line_is_looked_for_below_its_own_heading() -> None:
    text = MINIMAL + '[headers]\nremark = ["A"]\n[statuses.on_rto]\nremark = ["B"]\n'
    assert 'line 7: "statuses.on_rto.remark"' in fault(text)


def test_ranges_are_exact_members_and_give_way_to_what_is_named() -> None:
    text = MINIMAL + 'bag_picked = ["T-005"]\nno_milestone = ["T-001..T-010"]\n'
    table = load_profile(text, origin="a.toml").statuses
    assert table.rule("t 005").milestone == 1
    assert table.rule("T-010").meaning is StatusMeaning.NO_MILESTONE
    assert table.rule("T-011").meaning is StatusMeaning.UNKNOWN
    assert table.rule("T-1").meaning is StatusMeaning.UNKNOWN


def test_a_family_never_swallows_a_milestone_or_a_slip_in_one() -> None:
    text = 'name="a"\n[statuses]\nrto_bag_delivered=["rto_done"]\nno_milestone=["rto_*"]\n'
    table = load_profile(text, origin="a.toml").statuses
    assert table.rule("RTO DONE").milestone == 3
    assert table.rule("rto_started").meaning is StatusMeaning.NO_MILESTONE
    assert table.rule("rto_donne").meaning is StatusMeaning.UNKNOWN


def test_a_profile_inherits_headers_but_not_those_it_uses_elsewhere() -> None:
    text = MINIMAL + '[headers]\nremark = ["Location"]\n'
    profile = load_profile(text, origin="a.toml")
    assert profile.headers[Role.REMARK] == ("location",)
    assert "location" not in profile.headers[Role.LOCATION]
    assert "dplocation" in profile.headers[Role.LOCATION]


def test_no_built_in_header_stands_for_two_roles() -> None:
    for profile in builtin_profiles().values():
        aliases = [alias for each in profile.headers.values() for alias in each]
        assert len(aliases) == len(set(aliases)), profile.name


def test_every_courier_but_generic_names_its_zone() -> None:
    zones = {profile.name: profile.zone for profile in builtin_profiles().values()}
    assert zones.pop("generic") == ""
    assert set(zones.values()) == {"Asia/Kolkata"}
