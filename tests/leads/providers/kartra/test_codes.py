import pytest

from leads.providers.errors import AlreadyDone, Deleted, Misconfigured, NotFound, OutcomeUnknown, Refused
from leads.providers.kartra import codes, commands
from tests.leads.providers.kartra.script import payload

ERRORS = payload("errors")


def test_every_published_number_is_in_the_table_and_no_other() -> None:
    assert len(ERRORS) == 74
    assert set(codes.CODES) == {row["number"] for row in ERRORS}


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row["number"])
def test_each_number_has_a_sentence_of_ours_and_its_commands(row: dict[str, object]) -> None:
    code = codes.CODES[str(row["number"])]
    assert list(code.commands) == row["commands"]
    assert set(code.commands) <= commands.ALL | {"global", codes.ON_A_LEAD}
    assert code.sentence.endswith(".")
    assert len(code.sentence) > 25
    assert code.sentence.strip(".").casefold() != str(row["words"]).strip(".").casefold()


def test_no_two_numbers_share_a_sentence() -> None:
    assert len({code.sentence for code in codes.CODES.values()}) == 74


@pytest.mark.parametrize(
    ("numbers", "error"),
    [
        ("201 202 203 204 233 238 239 240 242 262", Misconfigured),
        ("234 243 247 248", NotFound),
        ("245", Deleted),
        ("244 251 252", AlreadyDone),
        ("266 267", OutcomeUnknown),
        ("206 209 212 214 219 220 231 250 253 259 264 271 275 284", Refused),
    ],
)
def test_numbers_are_told_apart_by_what_to_do_next(numbers: str, error: type) -> None:
    assert {type(codes.error_for(number, "x")) for number in numbers.split()} == {error}


def test_an_error_keeps_kartras_number_and_words() -> None:
    error = codes.error_for("212", "Tag does not exist")
    assert (error.code, error.words) == ("212", "Tag does not exist")
    assert "Refresh the catalogue" in error.sentence


@pytest.mark.parametrize("number", ["205", "286", "999", "abc"])
def test_a_number_nobody_knows_shows_kartras_own_words(number: str) -> None:
    error = codes.error_for(number, "Something new")
    assert type(error) is Refused
    assert "“Something new”" in error.sentence
    assert number in error.sentence


def test_a_refusal_without_number_or_words_says_so() -> None:
    assert "without giving a reason" in codes.error_for("", "").sentence


@pytest.mark.parametrize("words", ["No lead found", "Lead Not Found", "no lead found."])
@pytest.mark.parametrize("number", ["", "999"])
def test_a_missing_lead_is_known_by_its_text(number: str, words: str) -> None:
    error = codes.error_for(number, words)
    assert isinstance(error, NotFound)
    assert codes.is_no_such_lead(error)


def test_the_text_never_overrules_a_number() -> None:
    assert isinstance(codes.error_for("203", "No lead found"), Misconfigured)
