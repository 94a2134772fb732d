"""Making, editing and following: what is done shows in the next reading."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest

from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.providers.kartra.sandbox.notable import NOTABLE
from leads.providers.kartra.sandbox.state import configure, connect, est_now, put_settings, writing
from tests.leads.providers.kartra.sandbox.box import Box, action, credentials


def custom(at: int, identifier: str, *values: str) -> dict[str, str]:
    """One custom field on the wire; several values are the options of a checkbox."""
    head = f"lead[custom_fields][{at}]"
    if len(values) == 1:
        return {f"{head}[field_identifier]": identifier, f"{head}[field_value]": values[0]}
    return {
        f"{head}[field_identifier]": identifier,
        **{f"{head}[field_value][{n}]": value for n, value in enumerate(values)},
    }


def held(box: Box, who: str) -> dict[str, object]:
    return {field["field_identifier"]: field["field_value"] for field in box.lead(who)["custom_fields"]}


def edit(box: Box, who: str, **fields: str) -> None:
    named = {f"lead[{name}]": value for name, value in fields.items()}
    answer = box.post({"lead[id]": NOTABLE[who].id, **named, **action("edit_lead")})
    assert answer["status"] == "Success"


def test_a_new_lead_has_what_was_sent_and_no_consent(box: Box) -> None:
    answer = box.post(
        {
            "lead[email]": "New.Person@example.com",
            "lead[first_name]": "Zoë",
            "lead[notes]": "not writable",
            "lead[score]": "99",
            **custom(0, "shoe_size", "40"),
            **action("create_lead"),
        }
    )
    number = answer["actions"][0]["create_lead"]["lead_details"]["id"]
    details = box.lead_by_id(number)
    assert (details["email"], details["first_name"]) == ("New.Person@example.com", "Zoë")
    assert (details["notes"], details["score"], details["source"]) == ("", "0", "api")
    assert details["gdpr_lead_communications"] == "0"
    assert details["custom_fields"][0]["field_value"] == "40"
    assert box.post({"get_lead[email]": "new.person@EXAMPLE.com"})["lead_details"]["id"] == number


def test_test_mode_rewrites_addresses_so_that_equal_local_parts_collide(box: Box) -> None:
    configure(box.path, test_mode=True)
    first = box.post({"lead[email]": "johnsmith@example.com", **action("create_lead")})
    number = first["actions"][0]["create_lead"]["lead_details"]["id"]
    assert box.lead_by_id(number)["email"] == "johnsmith@kartra.com"
    assert box.post({"get_lead[email]": "johnsmith@example.com"})["type"] == "234"
    assert box.post({"lead[email]": "johnsmith@example.org", **action("create_lead")})["type"] == "244"


def test_a_lead_may_be_read_by_email_alone(box: Box) -> None:
    configure(box.path, email_only=True)
    assert box.post({"get_lead[id]": NOTABLE["ada"].id})["type"] == "206"
    both = {"get_lead[id]": NOTABLE["ben"].id, "get_lead[email]": NOTABLE["ada"].email}
    assert box.post(both)["lead_details"]["id"] == NOTABLE["ada"].id
    assert box.did("search_lead", "ada")["lead_details"]["id"] == NOTABLE["ada"].id


def test_an_edit_changes_what_was_sent_and_only_that(box: Box) -> None:
    before = box.lead("ada")
    edit(box, "ada", city="São Paulo", company="")
    assert box.lead("ada") == {**before, "city": "São Paulo", "company": ""}


def test_new_email_moves_a_lead_named_by_id(box: Box) -> None:
    edit(box, "ada", new_email="ada@example.org")
    assert box.lead("ada")["email"] == "ada@example.org"
    assert box.post({"get_lead[email]": "ada@example.org"})["lead_details"]["id"] == NOTABLE["ada"].id
    assert box.post({"get_lead[email]": NOTABLE["ada"].email})["type"] == "234"


def test_another_email_beside_the_id_changes_nothing(box: Box) -> None:
    edit(box, "ada", email="other@example.org")
    assert box.lead("ada")["email"] == NOTABLE["ada"].email


def test_the_id_wins_over_the_email(box: Box) -> None:
    answer = box.post({"lead[id]": NOTABLE["jon"].id, "lead[email]": NOTABLE["ada"].email, **action("search_lead")})
    assert answer["actions"][0]["search_lead"]["lead_details"]["id"] == NOTABLE["jon"].id


def test_custom_fields_are_kept_by_kind_and_cleared_by_an_empty_text(box: Box) -> None:
    fields = {
        **custom(0, "shoe_size", "42"),
        **custom(1, "plan", "1"),
        **custom(2, "glazes", "2", "3"),
        **custom(3, "kiln_type", ""),
        **custom(4, "no_such_field", "ignored"),
    }
    answer = box.post({"lead[id]": NOTABLE["ada"].id, **fields, **action("edit_lead")})
    assert answer["status"] == "Success"
    values = held(box, "ada")
    assert values["shoe_size"] == "42"
    assert values["plan"] == [{"option_id": "1", "option_value": "hobby"}]
    assert values["glazes"] == [
        {"option_id": "2", "option_value": "shino"},
        {"option_id": "3", "option_value": "tenmoku"},
    ]
    assert values["kiln_type"] == []
    assert "no_such_field" not in values


@pytest.mark.parametrize(
    "field",
    [
        custom(0, "plan", "3"),
        custom(0, "plan", "studio"),
        custom(0, "plan", "1", "2"),
        custom(0, "glazes", "1"),
        custom(0, "glazes", "1", "9"),
        custom(0, "shoe_size", "1", "2"),
    ],
)
def test_a_value_that_does_not_suit_changes_nothing(box: Box, field: dict[str, str]) -> None:
    before = box.lead("ada")
    answer = box.post({"lead[id]": NOTABLE["ada"].id, "lead[city]": "Elsewhere", **field, **action("edit_lead")})
    assert answer["type"] == "271"
    assert box.lead("ada") == before


def test_a_new_custom_field_appears_on_every_lead_with_options_from_one(box: Box) -> None:
    box.did(
        "create_custom_field", custom_field_identifier="wheel", custom_field_type="radio_button",
        custom_field_options__0__option_name="kick", custom_field_options__1__option_name="electric",
    )  # fmt: skip
    field = box.act("retrieve_custom_fields")["custom_fields"][-1]
    assert [option["option_id"] for option in field["field_value"]] == ["1", "2"]
    assert held(box, "empty")["wheel"] == []
    assert "wheel" not in [
        row["field_identifier"] for row in box.act("retrieve_custom_fields", "")["custom_fields"][:-1]
    ]


def test_text_fields_have_no_options_in_the_catalogue(box: Box) -> None:
    fields = box.act("retrieve_custom_fields")["custom_fields"]
    assert {field["field_type"] for field in fields if "field_value" not in field} == {"input_field", "text_area"}


def test_tags_are_given_and_taken_and_giving_twice_is_a_success(box: Box) -> None:
    assert box.did("assign_tag", "ada", tag_name="vip")["status"] == "Success"
    assert box.tags("ada").count("vip") == 1
    box.did("unassign_tag", "ada", tag_name="vip")
    assert "vip" not in box.tags("ada")
    assert box.did("unassign_tag", "ada", tag_name="vip")["status"] == "Success"


def test_a_tag_grants_a_membership_and_another_revokes_it(box: Box) -> None:
    assert box.lead("empty")["memberships"] == []
    box.did("assign_tag", "empty", tag_name="kiln-club-gold")
    gold = {"membership_id": "9", "membership_name": "Kiln Club", "level_id": "2", "level_name": "Gold", "active": "1"}
    assert box.lead("empty")["memberships"] == [gold]
    box.did("assign_tag", "empty", tag_name="kiln-club-revoke")
    assert box.lead("empty")["memberships"] == [{**gold, "active": "0"}]
    box.did("unassign_tag", "empty", tag_name="kiln-club-gold")
    box.did("assign_tag", "empty", tag_name="kiln-club-gold")
    assert box.lead("empty")["memberships"] == [gold]


def test_an_unsubscribed_list_keeps_its_row_and_answers_101(box: Box) -> None:
    assert box.did("unsubscribe_lead_from_list", "ada", list_name="Newsletter")["type"] == "101"
    rows = {row["list_name"]: row["active"] for row in box.lead("ada")["lists"]}
    assert rows["Newsletter"] == "0"
    box.did("unsubscribe_lead_from_list", "ada", list_name="Customers")
    assert "Customers" not in {row["list_name"] for row in box.lead("ada")["lists"]}


def test_subscribing_to_the_newsletter_starts_the_welcome_series(box: Box) -> None:
    box.did("subscribe_lead_to_list", "empty", list_name="Newsletter")
    assert box.lead("empty")["sequences"] == [
        {"sequence_id": "31", "sequence_name": "Welcome series", "step": "1", "status": "active"}
    ]


def test_sequences_are_joined_at_a_step_and_left(box: Box) -> None:
    box.did("subscribe_lead_to_sequence_at_step", "ada", sequence_name="Win back", step="2")
    box.did("unsubscribe_lead_from_sequence", "ada", sequence_name="Welcome series")
    rows = {row["sequence_name"]: (row["step"], row["status"]) for row in box.lead("ada")["sequences"]}
    assert rows == {"Win back": ("2", "active"), "Welcome series": ("3", "unsubscribed")}


def test_points_are_added_taken_and_expire(box: Box) -> None:
    before = int(box.lead("ada")["score"])
    box.did("give_points_to_lead", "ada", points="10")
    box.did("give_points_to_lead", "ada", points="7", expiration="30")
    box.did("remove_points_from_lead", "ada", points="4")
    assert int(box.lead("ada")["score"]) == before + 13
    _days_pass(box, 31)
    assert int(box.lead("ada")["score"]) == before + 6


def test_a_booking_can_be_cancelled_once(box: Box) -> None:
    visit = {"calendar_name": "Studio visits", "class_name": "Tour of the kiln shed"}
    when = est_now() + timedelta(days=3)
    moment = {"starting_date": when.strftime("%d %b %Y"), "starting_hour": "15:00"}
    assert box.did("calendar_subscribe", "ada", **visit, **moment)["type"] == "112"
    assert box.did("calendar_cancel", "ada", **visit)["type"] == "113"
    assert box.number("calendar_cancel", "ada", **visit) == "259"


def test_a_failed_action_does_not_stop_the_later_ones(box: Box) -> None:
    chain = {
        **action("edit_lead", 0),
        **action("assign_tag", 1, tag_name="No such tag"),
        **action("subscribe_lead_to_list", 2, list_name="Customers"),
    }
    answer = box.post({"lead[id]": NOTABLE["ada"].id, **chain})
    assert answer["status"] == "Success"
    assert [next(iter(entry.values()))["status"] for entry in answer["actions"]] == ["Success", "Error", "Success"]
    assert "Customers" in {row["list_name"] for row in box.lead("ada")["lists"]}
    configure(box.path, chained_status="Error")
    assert box.post({"lead[id]": NOTABLE["ada"].id, **chain})["status"] == "Error"


def test_a_chain_that_cannot_make_its_lead_does_nothing(box: Box) -> None:
    chain = {**action("create_lead", 0), **action("assign_tag", 1, tag_name="beginner")}
    answer = box.post({"lead[email]": NOTABLE["ada"].email, **chain})
    assert answer == {"status": "Error", "message": "Lead already exists", "type": "244"}
    assert "beginner" not in box.tags("ada")


def test_details_of_many_things_come_in_one_chain(box: Box) -> None:
    chain = {
        **action("retrieve_transactions_from_lead", 0),
        **action("get_subscription_details", 1, subscription_id="14833"),
        **action("retrieve_account_tags", 2),
    }
    answer = box.post({"lead[id]": NOTABLE["ada"].id, **chain})
    assert "vip" in answer["actions"][2]["retrieve_account_tags"]["account_tags"]
    assert answer["actions"][1]["get_subscription_details"]["subscription_details"]["subscription_id"] == "14833"


def test_accounts_do_not_see_each_other(box: Box) -> None:
    bindery = box.post(action("retrieve_account_tags"), ACCOUNTS[1])["account_tags"]
    assert bindery == ["binder", "paper-club", "customer"]
    assert box.post({"get_lead[id]": NOTABLE["ada"].id}, ACCOUNTS[1])["type"] == "234"
    same_address = box.post({"get_lead[email]": NOTABLE["ada"].email}, ACCOUNTS[1])["lead_details"]
    assert same_address["id"] == NOTABLE["bindery_ada"].id
    assert box.post(action("search_transaction", transaction_id="99432"), ACCOUNTS[1])["type"] == "247"
    assert box.post(action("search_subscription", subscription_id="14833"), ACCOUNTS[1])["type"] == "248"


@pytest.mark.parametrize("who", ["arabic", "markup"])
def test_answers_are_written_as_php_writes_json(box: Box, who: str) -> None:
    page = box.raw(urlencode({**credentials(), "get_lead[id]": NOTABLE[who].id}).encode())[2]
    assert page.isascii()
    assert b"</" not in page


def _days_pass(box: Box, days: int) -> None:
    db = connect(box.path)
    with writing(db):
        put_settings(db, {"clock_days": days})
    db.close()
