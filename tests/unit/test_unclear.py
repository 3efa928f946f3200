"""When the same nonsense again and again is an outage."""

from pipeline.delivery.mass_refusal import UnclearAnswers


def test_three_of_a_kind_with_nothing_taken_between_are_an_outage() -> None:
    unclear = UnclearAnswers()
    assert [unclear.count("a page") for _ in range(3)] == [False, False, True]


def test_kinds_are_counted_apart() -> None:
    unclear = UnclearAnswers()
    assert not any(unclear.count(kind) for kind in ("a page", "nothing", "a page", "nothing"))
    assert unclear.count("nothing")


def test_what_is_taken_begins_the_count_anew() -> None:
    unclear = UnclearAnswers()
    for _ in range(2):
        assert not unclear.count("a page")
    unclear.forget()
    assert not unclear.count("a page")


def test_after_a_resume_one_more_is_enough() -> None:
    unclear = UnclearAnswers()
    for _ in range(5):
        unclear.count("a page")
    unclear.reopened()
    assert unclear.count("a page")
    fresh = UnclearAnswers()
    fresh.reopened()
    assert not fresh.count("a page")
