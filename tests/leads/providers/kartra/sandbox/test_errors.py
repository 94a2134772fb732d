"""Every documented error number is reached by an ordinary request."""

import json
from typing import Any

import pytest

from leads.providers.kartra.sandbox import credentials as known
from leads.providers.kartra.sandbox.errors import MESSAGES
from leads.providers.kartra.sandbox.notable import NOTABLE, SUBSCRIPTIONS, TRANSACTIONS
from leads.providers.kartra.sandbox.state import configure
from tests.leads.providers.kartra.sandbox.box import Box, action
from tests.leads.providers.kartra.script import payload

ADA = {"lead[id]": NOTABLE["ada"].id}
CHECKBOX = {"custom_field_identifier": "wheels", "custom_field_type": "checkbox"}
VISIT = {"calendar_name": "Studio visits", "class_name": "Tour of the kiln shed"}
TAGS = action("retrieve_account_tags")
FIRST = "subscription_recurrence__recurring_period_1"
# Kartra's pages name 243 for every action on a lead that is there already.
ON_A_LEAD = sorted(
    row["command"]
    for row in payload("commands")
    if row["on_a_lead"] and row["command"] not in ("get_lead", "create_lead")
)


def on_ada(cmd: str, **params: str) -> dict[str, str]:
    return {**ADA, **action(cmd, **params)}


def edit(**params: str) -> dict[str, str]:
    return action("edit_subscription", subscription_id=SUBSCRIPTIONS["ada_active"], **params)


def status(key: str, verb: str) -> dict[str, str]:
    return action(
        "modify_subscription_status", subscription_id=SUBSCRIPTIONS[key], subscription_status_modification=verb
    )


def refund(key: str, **params: str) -> dict[str, str]:
    return action("refund_transaction", transaction_id=TRANSACTIONS[key], **params)


REQUESTS: list[tuple[int, dict[str, str]]] = [
    (202, {**TAGS, "api_key": " "}),
    (203, {**TAGS, "api_key": "nobody"}),
    (204, {**TAGS, "api_key": known.CLOSED_ACCOUNT.api_key, "api_password": known.CLOSED_ACCOUNT.api_password}),
    (206, action("assign_tag", tag_name="vip")),
    (206, {"get_lead[email]": ""}),
    (206, {"lead[first_name]": "Nobody", **action("create_lead")}),
    (207, on_ada("subscribe_lead_to_list", list_name=" ")),
    (208, on_ada("unsubscribe_lead_from_list")),
    (209, on_ada("unsubscribe_lead_from_list", list_name="No such list")),
    (211, on_ada("assign_tag")),
    (212, on_ada("assign_tag", tag_name="No such tag")),
    (212, on_ada("assign_tag", tag_name="VIP")),
    (213, on_ada("unassign_tag", tag_name="")),
    (214, on_ada("unassign_tag", tag_name="No such tag")),
    (215, on_ada("give_points_to_lead")),
    (217, on_ada("remove_points_from_lead", points="")),
    (219, on_ada("subscribe_lead_to_sequence_at_step", sequence_name="None", step="1")),
    (220, on_ada("unsubscribe_lead_from_sequence", sequence_name="None")),
    (223, {"lead": NOTABLE["ada"].id, **action("assign_tag", tag_name="vip")}),
    (224, {**ADA, "actions": "assign_tag"}),
    (224, ADA),
    (225, on_ada("subscribe_lead_to_sequence_at_step", sequence_name="Welcome series")),
    (226, on_ada("subscribe_lead_to_sequence_at_step", step="1")),
    (226, on_ada("unsubscribe_lead_from_sequence")),
    (227, on_ada("give_points_to_lead", points="ten")),
    (228, on_ada("remove_points_from_lead", points="1,5")),
    (229, on_ada("subscribe_lead_to_sequence_at_step", sequence_name="Welcome series", step="1-2")),
    (230, on_ada("subscribe_lead_to_sequence_at_step", sequence_name="Welcome series", step="6")),
    (231, on_ada("subscribe_lead_to_list", list_name="No such list")),
    (233, {**TAGS, "api_password": "wrong"}),
    (234, {"get_lead[email]": "nobody@example.com"}),
    (234, {"get_lead[id]": NOTABLE["bindery_ada"].id}),
    (236, {"get_lead": NOTABLE["ada"].id}),
    (238, {**TAGS, "app_id": ""}),
    (239, {**TAGS, "app_id": "SOMETHING"}),
    (239, {**TAGS, "app_id": known.SWITCHED_OFF_APP}),
    (240, {**TAGS, "app_id": known.SUSPENDED_APP}),
    (242, {**TAGS, "app_id": known.FENCED_APP}),
    (243, {"lead[id]": "abc", **action("edit_lead")}),
    *((243, {"lead[email]": "nobody@example.com", **action(cmd)}) for cmd in ON_A_LEAD),
    (244, {"lead[email]": "ADA.moreno@example.com", **action("create_lead")}),
    (244, {**ADA, "lead[new_email]": NOTABLE["jon"].email, **action("edit_lead")}),
    (245, {"get_lead[id]": NOTABLE["deleted"].id}),
    (245, {"lead[id]": NOTABLE["deleted"].id, **action("search_lead")}),
    (245, {"lead[id]": NOTABLE["deleted"].id, **action("edit_lead")}),
    (245, {"lead[email]": NOTABLE["deleted"].email, **action("create_lead")}),
    (245, {"lead[email]": NOTABLE["deleted"].email, **action("assign_tag", tag_name="vip")}),
    (247, action("search_transaction", transaction_id="1")),
    (247, action("get_transaction_details", transaction_id="")),
    (247, action("refund_transaction", transaction_id="9000001")),
    (248, action("search_subscription", subscription_id="1")),
    (248, action("get_subscription_details", subscription_id="1")),
    (248, action("cancel_transaction", transaction_internal_subscription_id="1")),
    (248, action("cancel_transaction")),
    (248, action("edit_subscription", subscription_id="1")),
    (248, action("modify_subscription_status", subscription_id="1")),
    (249, action("cancel_transaction", transaction_id=TRANSACTIONS["jon_sale"])),
    (250, refund("jon_too_old")),
    (250, refund("jon_voucher")),
    (251, refund("jon_refunded")),
    (251, refund("jon_sale", refund_amount="590.01")),
    (252, action("cancel_transaction", transaction_internal_subscription_id=SUBSCRIPTIONS["ada_cancelled"])),
    (252, status("ada_cancelled", "cancel")),
    (253, refund("ada_partial_refund")),
    (253, refund("test")),
    (253, refund("chargeback")),
    (253, action("cancel_transaction", transaction_id=TRANSACTIONS["ada_partial_refund"])),
    (254, {**ADA, "actions[0][tag_name]": "vip"}),
    (254, {**ADA, "actions[0]": "assign_tag"}),
    (255, on_ada("calendar_subscribe", class_name="Tour")),
    (255, on_ada("calendar_cancel", class_name="Tour")),
    (256, on_ada("calendar_subscribe", calendar_name="Studio visits")),
    (256, on_ada("calendar_cancel", calendar_name="Studio visits")),
    (257, on_ada("calendar_subscribe", calendar_name="None", class_name="Tour")),
    (257, on_ada("calendar_cancel", calendar_name="None", class_name="Tour")),
    (257, on_ada("calendar_subscribe", calendar_name="Summer school (being set up)", class_name="Week one")),
    (258, on_ada("calendar_subscribe", calendar_name="Evening classes", class_name="Tour of the kiln shed")),
    (258, on_ada("calendar_cancel", calendar_name="Evening classes", class_name="Tour of the kiln shed")),
    (259, on_ada("calendar_cancel", **VISIT)),
    (260, on_ada("calendar_subscribe", **VISIT, starting_date="2099-01-16", starting_hour="15:00")),
    (260, on_ada("calendar_subscribe", **VISIT, starting_date="31 Feb 2099", starting_hour="15:00")),
    (260, on_ada("calendar_subscribe", **VISIT, starting_date="16 Jan 2099")),
    (260, edit(subscription_next_payment_date="16 Jan 2099")),
    (261, on_ada("calendar_subscribe", **VISIT, starting_date="16 Jan 2019", starting_hour="15:00")),
    (261, edit(subscription_next_payment_date="2019-01-16 15:00")),
    (262, {**on_ada("assign_tag", tag_name="vip"), "app_id": known.READING_APP}),
    (262, on_ada("remove_tag", tag_name="vip")),
    (263, action("create_custom_field", custom_field_identifier="two words", custom_field_type="input_field")),
    (264, action("create_custom_field", custom_field_identifier="Shoe_Size", custom_field_type="input_field")),
    (264, action("create_custom_field", custom_field_identifier="email", custom_field_type="input_field")),
    (265, action("create_custom_field", custom_field_type="input_field")),
    (266, refund("trouble")),
    (267, status("trouble", "cancel")),
    (267, action("cancel_transaction", transaction_internal_subscription_id=SUBSCRIPTIONS["trouble"])),
    (268, refund("jon_sale", refund_amount="12,50")),
    (268, refund("jon_sale", refund_amount="0")),
    (268, refund("jon_sale", refund_amount="-5")),
    (268, edit(subscription_amount="twenty")),
    (269, action("create_custom_field", custom_field_identifier="wheels", custom_field_type="colour")),
    (270, action("create_custom_field", **CHECKBOX, custom_field_options="one")),
    (271, {**ADA, "lead[custom_fields]": "38", **action("edit_lead")}),
    (271, {"lead[email]": "new@example.com", "lead[custom_fields]": "38", **action("create_lead")}),
    (271, {**ADA, "lead[custom_fields][0]": "38", **action("edit_lead")}),
    (271, {**ADA, "lead[custom_fields][0][field_identifier]": "plan", **action("edit_lead")}),
    (272, action("create_custom_field", **CHECKBOX, custom_field_options__0__option_name="")),
    (273, action("create_custom_field", **CHECKBOX, custom_field_options__0__option_name="one")),
    (273, action("create_custom_field", **CHECKBOX)),
    (274, status("ada_active", "resume")),
    (274, action("modify_subscription_status", subscription_id=SUBSCRIPTIONS["ada_active"])),
    (275, status("ada_cancelled", "unpause")),
    (275, status("terminated", "cancel")),
    (275, action("edit_subscription", subscription_id=SUBSCRIPTIONS["terminated"], subscription_amount="5")),
    (276, edit(subscription_product_quantity="10000")),
    (276, edit(subscription_product_quantity="0")),
    (277, edit(subscription_amount="0.99")),
    (277, edit(subscription_amount="10000.00")),
    (278, edit(subscription_product_quantity="two")),
    (278, edit(subscription_tax_percent="a lot")),
    (280, edit(**{FIRST: "daily"})),
    (280, edit(**{FIRST: "monthly", "subscription_recurrence__recurring_period_2": "yearly"})),
    (281, action("edit_subscription", subscription_id=SUBSCRIPTIONS["trial"], **{FIRST: "weekly"})),
    (282, edit(subscription_installments_left="a few")),
    (282, edit(subscription_installments_left="0")),
    (283, edit(subscription_product_id="223")),
    (283, edit(subscription_product_id="223", subscription_price_point="9")),
    (283, edit(subscription_product_id="301", subscription_price_point="1")),
    (284, status("jon_paypal", "pause")),
    (284, action("edit_subscription", subscription_id=SUBSCRIPTIONS["jon_paypal"], subscription_amount="5")),
    (285, edit()),
    (290, edit(subscription_tax_percent="100.5")),
    (290, edit(subscription_tax_percent="-1")),
]  # fmt: skip


def test_every_documented_number_is_asked_for() -> None:
    assert {number for number, _ in REQUESTS} | {201} == MESSAGES.keys()
    assert len(MESSAGES) == 74


def test_every_command_is_brought_to_every_error_of_its_page() -> None:
    pages = {(row["command"], int(number)) for row in payload("commands") for number in row["errors"]}
    table = {(command, int(row["number"])) for row in payload("errors") for command in row["commands"]}
    everywhere = {(command, number) for command, number in table if command in ("global", "lead actions")}
    assert table - everywhere == pages
    assert len(pages) == 84
    tried = {(fields.get("actions[0][cmd]", "get_lead"), number) for number, fields in REQUESTS}
    assert pages - tried == set()


@pytest.mark.parametrize(
    ("number", "fields"), REQUESTS, ids=[f"{number}-{at}" for at, (number, _) in enumerate(REQUESTS)]
)
def test_error_is_reached(box: Box, number: int, fields: dict[str, str]) -> None:
    answer = box.post(fields)
    assert (answer["status"], answer["message"], str(answer["type"])) == ("Error", MESSAGES[number], str(number))
    assert list(answer) == ["status", "message", "type"]


def test_plain_http_is_refused_when_switched_so(box: Box) -> None:
    configure(box.path, require_https=True)
    assert box.post(TAGS, scheme="http")["type"] == "201"
    assert box.post(TAGS)["status"] == "Success"


def test_the_allow_list_lets_its_address_in(box: Box) -> None:
    fields = {**TAGS, "app_id": known.FENCED_APP}
    assert box.post(fields, ip=known.FENCED_IP)["status"] == "Success"


def test_an_app_that_only_reads_can_read(box: Box) -> None:
    assert box.post({**TAGS, "app_id": known.READING_APP})["status"] == "Success"
    assert "lead_details" in box.post({"get_lead[id]": NOTABLE["ada"].id, "app_id": known.READING_APP})


def test_only_modify_subscription_status_prints_248_as_a_number(box: Box) -> None:
    assert box.act("modify_subscription_status", subscription_id="1")["type"] == 248
    assert box.act("edit_subscription", subscription_id="1")["type"] == "248"


@pytest.mark.parametrize(
    "fields", [REQUESTS[at][1] for at in range(len(REQUESTS)) if REQUESTS[at][0] in (206, 243, 254)]
)
def test_a_call_without_a_lead_or_cmd_does_nothing_at_all(box: Box, fields: dict[str, str]) -> None:
    before = _state(box)
    box.post(
        {**fields, **action("create_custom_field", 1, custom_field_identifier="x1", custom_field_type="text_area")}
    )
    assert _state(box) == before


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"=", b"&&&", b"actions[0][cmd]", b"\xff\xfe=\x00", b"lead[" * 100, json.dumps(TAGS).encode()],
)
def test_junk_is_answered_with_an_error_and_not_a_crash(box: Box, body: bytes) -> None:
    status_line, _, page = box.raw(body)
    assert status_line == "200 OK"
    assert json.loads(page)["type"] == "238"


def test_other_kinds_of_body_are_not_read(box: Box) -> None:
    _, _, page = box.raw(json.dumps(TAGS).encode(), CONTENT_TYPE="application/json")
    assert json.loads(page)["type"] == "238"


def test_other_paths_are_not_found(box: Box) -> None:
    assert box.raw(b"", PATH_INFO="/api/v2")[0] == "404 Not Found"


def _state(box: Box) -> Any:
    return box.post(action("retrieve_custom_fields"))
