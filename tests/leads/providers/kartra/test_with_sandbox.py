"""The provider and the sandbox, which were written from the same pages and not from each other."""

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from leads.providers.base import LeadRef, Option
from leads.providers.changes import (
    AssignTag,
    CancelSubscription,
    CreateField,
    CreateLead,
    EditLead,
    EditSubscription,
    GivePoints,
    PauseSubscription,
    RefundTransaction,
    SubscribeToList,
    SubscribeToSequence,
    UnassignTag,
)
from leads.providers.errors import AlreadyDone, Misconfigured, NotFound, Unavailable
from leads.providers.kartra.client import SANDBOX, KartraClient
from leads.providers.kartra.provider import KartraProvider
from leads.providers.kartra.sandbox import faults
from leads.providers.kartra.sandbox.app import create_app
from leads.providers.kartra.sandbox.credentials import ACCOUNTS, APP_ID
from leads.providers.kartra.sandbox.notable import NOTABLE, SUBSCRIPTIONS, TRANSACTIONS
from leads.providers.kartra.sandbox.seed import seed
from leads.providers.kartra.sandbox.server import running
from leads.providers.kartra.sandbox.state import configure
from tests.leads.providers.kartra.script import NoLimit

ADA = LeadRef(id=NOTABLE["ada"].id)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sandbox") / "seeded.sqlite3"
    seed(path, leads=30)
    configure(path, calls_per_second=0)
    return path


@pytest.fixture
def path(seeded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(seeded, tmp_path / "sandbox.sqlite3"))


@pytest.fixture(params=["in process", "over HTTP"])
def kartra(path: Path, request: pytest.FixtureRequest) -> Iterator[KartraProvider]:
    if request.param == "in process":
        yield provider(path)
    else:
        with running(path) as url:
            client = KartraClient(url, APP_ID, *ACCOUNTS[0][1:], limiter=NoLimit(), sleep=lambda _: None, timeout=5.0)
            yield KartraProvider(client)


def provider(path: Path, limiter: NoLimit | None = None, key: str = ACCOUNTS[0].api_key) -> KartraProvider:
    client = KartraClient(
        SANDBOX,
        APP_ID,
        key,
        ACCOUNTS[0].api_password,
        limiter=limiter or NoLimit(),
        wsgi_app=create_app(path),
        sleep=lambda _: None,
    )
    return KartraProvider(client)


def test_a_lead_is_found_changed_in_one_call_and_read_back(kartra: KartraProvider) -> None:
    assert kartra.find_lead_id(LeadRef(email=NOTABLE["ada"].email)) == ADA.id
    before = kartra.get_lead(ADA)
    tag = next(name for name in kartra.list_tags() if name not in before.tags)
    name = next(name for name in kartra.list_lists() if name not in [row.name for row in before.lists])
    outcomes = kartra.send(ADA, [AssignTag(tag), SubscribeToList(name), EditLead({"city": "Zürich & Söhne"})])
    assert [outcome.state for outcome in outcomes] == ["succeeded"] * 3
    after = kartra.get_lead(ADA)
    assert after.profile["city"] == "Zürich & Söhne"
    assert {key: value for key, value in after.profile.items() if key != "city"} == {
        key: value for key, value in before.profile.items() if key != "city"
    }
    assert set(after.tags) == {*before.tags, tag}
    assert name in [row.name for row in after.lists if row.active]
    assert kartra.send(ADA, [UnassignTag(tag)])[0].state == "succeeded"
    assert kartra.get_lead(ADA).tags == before.tags


def test_the_catalogues_are_there(kartra: KartraProvider) -> None:
    kartra.check_credentials()
    assert all((kartra.list_tags(), kartra.list_lists(), kartra.list_sequences(), kartra.list_pages()))
    assert {field.kind for field in kartra.list_fields()} == {"text", "long_text", "choice", "radio", "choices"}


def test_custom_fields_of_every_kind_are_written_and_cleared(path: Path) -> None:
    kartra = provider(path)
    fields = {field.kind: field for field in kartra.list_fields()}
    wanted: dict[str, str | list[str]] = {
        fields["text"].identifier: "38",
        fields["choice"].identifier: fields["choice"].options[0].id,
        fields["choices"].identifier: [option.id for option in fields["choices"].options[:2]],
    }
    ref = LeadRef(id=NOTABLE["ben"].id)
    assert kartra.send(ref, [EditLead(custom_fields=wanted)])[0].state == "succeeded"
    lead = kartra.get_lead(ref)
    for identifier, value in wanted.items():
        held = lead.custom_field(identifier)
        assert held is not None
        assert held.writable == (tuple(value) if isinstance(value, list) else value)
    assert kartra.send(ref, [EditLead(custom_fields={fields["choices"].identifier: []})])[0].state == "succeeded"
    cleared = kartra.get_lead(ref).custom_field(fields["choices"].identifier)
    assert cleared is not None
    assert cleared.chosen == ()


def test_a_field_is_made_with_its_options(path: Path) -> None:
    kartra = provider(path)
    assert kartra.send(LeadRef(), [CreateField("pet", "choice", ["cat", "dog"])])[0].state == "succeeded"
    pet = next(field for field in kartra.list_fields() if field.identifier == "pet")
    assert [option.label for option in pet.options] == ["cat", "dog"]
    assert all(isinstance(option, Option) and option.id for option in pet.options)


def test_a_lead_is_made_once(path: Path) -> None:
    kartra = provider(path)
    create = CreateLead("new.person@example.com", {"first_name": "Nova"})
    made, tagged = kartra.send(LeadRef(), [create, AssignTag(kartra.list_tags()[0])])
    assert (made.state, tagged.state) == ("succeeded", "succeeded")
    assert kartra.get_lead(LeadRef(id=made.data["lead_id"])).name == "Nova"
    (again,) = kartra.send(LeadRef(), [create])
    assert again.state == "failed"
    assert isinstance(again.error, AlreadyDone)


@pytest.mark.parametrize("who", list(NOTABLE)[:-1])
def test_every_notable_lead_is_read_whole_in_three_calls(who: str, seeded: Path) -> None:
    limiter = NoLimit()
    kartra = provider(seeded, limiter)
    if who == "deleted":
        with pytest.raises(NotFound, match="deleted"):
            kartra.get_lead(LeadRef(id=NOTABLE[who].id))
        return
    lead = kartra.get_lead(LeadRef(email=NOTABLE[who].email))
    money = kartra.get_money(lead.ref)
    assert lead.id == NOTABLE[who].id
    assert len(limiter.waits) <= 3
    assert money.unread == max(0, len(money.transactions) + len(money.subscriptions) - 440)
    assert (len(money.transactions) > 500) == (who == "long_history")


def test_money_moves_as_asked(path: Path) -> None:
    kartra = provider(path)
    sale = TRANSACTIONS["jon_sale"]
    assert kartra.has_transaction(sale)
    assert not kartra.has_transaction("1")
    assert kartra.send(LeadRef(), [RefundTransaction(sale, "100.50")])[0].state == "succeeded"
    refund = kartra.list_transactions(LeadRef(id=NOTABLE["jon"].id))[0]
    assert (refund.kind, kartra.get_transaction(refund.id).amount) == ("partial_refund", Decimal("100.50"))
    (again,) = kartra.send(LeadRef(), [RefundTransaction(TRANSACTIONS["jon_refunded"], everything=True)])
    assert isinstance(again.error, AlreadyDone)


def test_subscriptions_are_edited_paused_and_cancelled(path: Path) -> None:
    kartra = provider(path)
    number = SUBSCRIPTIONS["ada_active"]
    edit = EditSubscription(number, next_payment="2031-05-06 07:08", amount="21.50")
    for change in (edit, PauseSubscription(number)):
        assert kartra.send(LeadRef(), [change])[0].state == "succeeded"
    row = kartra.get_subscription(number)
    assert (row.status, row.next_amount) == ("paused", Decimal("21.50"))
    assert row.next_payment is not None
    assert row.next_payment.text.startswith("2031-05-06 07:08")
    assert kartra.send(LeadRef(), [CancelSubscription(number)])[0].state == "succeeded"
    (again,) = kartra.send(LeadRef(), [CancelSubscription(number)])
    assert isinstance(again.error, AlreadyDone)


@pytest.mark.parametrize("mode", ["lost", "late", "half", "junk", "500"])
def test_a_change_without_a_clear_answer_is_unknown_and_done_at_most_once(mode: str, path: Path) -> None:
    kartra = provider(path)
    score = kartra.get_lead(ADA).score or 0
    faults.arm(path, "give_points_to_lead", mode)
    (outcome,) = kartra.send(ADA, [GivePoints(5)])
    assert outcome.state == "unknown"
    assert kartra.get_lead(ADA).score == score + (0 if mode in ("junk", "500") else 5)


@pytest.mark.parametrize("mode", ["refused", "429"])
def test_a_change_that_was_not_carried_out_goes_again(mode: str, path: Path) -> None:
    kartra = provider(path)
    score = kartra.get_lead(ADA).score or 0
    faults.arm(path, "give_points_to_lead", mode, times=2)
    assert kartra.send(ADA, [GivePoints(5)])[0].state == "succeeded"
    assert kartra.get_lead(ADA).score == score + 5


@pytest.mark.parametrize("mode", ["266", "266-done"])
def test_a_refund_that_failed_is_unknown_whether_or_not_money_moved(mode: str, path: Path) -> None:
    kartra = provider(path)
    before = kartra.list_transactions(LeadRef(id=NOTABLE["jon"].id))
    faults.arm(path, "refund_transaction", mode)
    (outcome,) = kartra.send(LeadRef(), [RefundTransaction(TRANSACTIONS["jon_sale"], everything=True)])
    assert (outcome.state, outcome.code) == ("unknown", "266")
    after = kartra.list_transactions(LeadRef(id=NOTABLE["jon"].id))
    assert len(after) == len(before) + (mode == "266-done")


def test_reads_live_through_faults(path: Path) -> None:
    kartra = provider(path)
    for mode in ("lost", "late", "refused", "500", "half", "junk", "429"):
        faults.arm(path, "get_lead", mode)
        assert kartra.get_lead(ADA).id == ADA.id
    faults.arm(path, "get_lead", "500", times=3)
    with pytest.raises(Unavailable):
        kartra.get_lead(ADA)


def test_what_kartra_refuses_is_told_for_what_it_is(path: Path) -> None:
    kartra = provider(path)
    with pytest.raises(NotFound):
        kartra.get_lead(LeadRef(email="nobody@example.com"))
    with pytest.raises(NotFound):
        kartra.get_money(LeadRef(id="999999999"))
    with pytest.raises(Misconfigured):
        provider(path, key="wrong").check_credentials()
    outcomes = kartra.send(ADA, [AssignTag("no such tag"), SubscribeToSequence(kartra.list_sequences()[0], "1")])
    assert outcomes[0].state == "failed"
    assert outcomes[0].code == "212"
