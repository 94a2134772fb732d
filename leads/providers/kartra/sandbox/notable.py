"""Leads worth remembering: fixed ids and addresses, for the documentation, the demo and the tests."""

from datetime import timedelta
from typing import NamedTuple

from leads.providers.kartra.sandbox import histories
from leads.providers.kartra.sandbox.builder import Builder


class Notable(NamedTuple):
    id: str
    email: str


NOTABLE = {
    "ada": Notable("4174086", "ada.moreno@example.com"),  # two subscriptions, tags, lists, a membership
    "ben": Notable("4174090", "ben.osei@example.com"),  # nothing known but the name
    "jon": Notable("4174102", "jon.smith@example.com"),  # one-off purchases, a partial refund, PayPal
    "long_history": Notable("4174110", "margit.lund@example.com"),  # more than 500 transactions
    "deleted": Notable("4174111", "gone.person@example.com"),  # 245
    "blacklisted": Notable("4174112", "blacklisted@example.org"),
    "no_name": Notable("4174113", "no-name@example.net"),
    "long_name": Notable("4174114", "wolfeschlegelsteinhausen@example.com"),
    "arabic": Notable("4174115", "layla.elmasry@example.org"),
    "hebrew": Notable("4174116", "noa.mizrahi@example.net"),
    "emoji": Notable("4174117", "sunny.clay@example.com"),
    "cjk": Notable("4174118", "sakura.takahashi@example.org"),
    "markup": Notable("4174119", "script.alert@example.com"),
    "markup_image": Notable("4174120", "broken.image@example.com"),
    "apostrophe": Notable("4174121", "siobhan.o'malley@example.com"),
    "consent_pending": Notable("4174122", "consent.pending@example.org"),
    "consent_refused": Notable("4174123", "consent.refused@example.org"),
    "trouble": Notable("4174124", "gateway.trouble@example.com"),  # every refund answers 266, every cancellation 267
    "chargeback": Notable("4174125", "charge.back@example.net"),
    "failing": Notable("4174126", "failing.card@example.net"),  # failed payments, subscription cancelled
    "installments": Notable(
        "4174127", "ines.beausejour@example.org"
    ),  # recurring installments, a trial, a test payment
    "empty": Notable("4174128", "empty@example.com"),  # everything empty
    "bindery_ada": Notable("5300001", "ada.moreno@example.com"),  # the same address in the second account
}

SUBSCRIPTIONS = {
    "ada_active": "14833",
    "ada_cancelled": "14700",
    "jon_paypal": "14901",
    "long_history_weekly": "14902",
    "trouble": "14903",
    "failing_cancelled": "14904",
    "installments": "14905",
    "trial": "14906",
    "paused": "14907",
    "terminated": "14908",
}

TRANSACTIONS = {
    "ada_sale": "99432",  # 45 days old, the first of subscription 14833; 9.95 of 19.95 was refunded
    "ada_partial_refund": "99517",
    "jon_sale": "99601",  # 590.00, ten days old, nothing refunded
    "jon_refunded": "99602",  # 251
    "jon_too_old": "99603",  # 250
    "jon_voucher": "99604",  # 250 at once: the product cannot be refunded
    "trouble": "99605",  # 266
    "test": "99606",  # 253
    "chargeback": "99607",
}


def add_notable(build: Builder) -> None:
    """The leads of `NOTABLE` that belong to the first account."""
    _ada(build)
    _jon(build)
    _odd_names(build)
    _standing(build)
    _long_history(build)
    _money_troubles(build)


def _at(key: str) -> tuple[int, str]:
    return int(NOTABLE[key].id), NOTABLE[key].email


def _ada(build: Builder) -> None:
    joined = build.ago(980, hour=9, minute=26)
    ada = build.lead(
        *_at("ada"),
        {
            "first_name": "Ada",
            "last_name": "Moreno",
            "phone_country_code": "+1",
            "phone": "5550142",
            "ip": "192.0.2.10",
            "address": "12 Sample Street",
            "zip": "02134",
            "city": "Boston",
            "state": "MA",
            "country": "United States",
            "company": "Moreno Pottery",
            "score": "35",
            "source": "checkout",
            "ip_country": "United States",
            "website": "https://pottery.example.com",
            "gdpr_lead_status_ip": "192.0.2.10",
            "gdpr_lead_communications": "1",
        },
        joined=joined,
        codes=("US", "USA"),
    )
    ada.custom = {"11": "38", "13": [2], "14": [1, 3], "16": [1], "17": "12", "19": [3, 4]}
    build.tag(ada, "customer", "vip")
    build.on_list(ada, 5)
    build.on_list(ada, 6, active=False)
    build.in_sequence(ada, 31, 3)
    build.member(ada, 9, 2)
    build.surveyed(ada, 62, "9", 212)
    active = build.subscribe(ada, 223, 2, build.ago(45), id=14833, gateway_id="sub_example_0001")
    sale, *_ = histories.run(build, active, last_four="4242", ids=(99432, 99488))
    build.refund(sale, build.ago(20, hour=16, minute=40), 995, number=99517)
    old = build.subscribe(ada, 231, 2, build.ago(700), id=14700)
    paid = histories.run(build, old, last_four="4242", stop=build.ago(660))
    for payment in paid:
        payment.email = "ada.old@example.com"
    histories.end(build, old, paid, build.ago(650, hour=8, minute=0))
    build.pay(ada, "sale", build.ago(400), 232, 8900, last_four="4242")


def _jon(build: Builder) -> None:
    jon = build.lead(
        *_at("jon"),
        {
            "first_name": "Jon",
            "last_name": "Smith",
            "phone_country_code": "+44",
            "phone": "7700900123",
            "ip": "198.51.100.7",
            "address": "4 Potters Row",
            "zip": "ST1 1AA",
            "city": "Stoke-on-Trent",
            "state": "Staffordshire",
            "country": "United Kingdom",
            "score": "120",
            "source": "single-optin",
            "ip_country": "United Kingdom",
            "gdpr_lead_status": "2",
            "gdpr_lead_status_ip": "198.51.100.7",
            "gdpr_lead_communications": "1",
            "notes": "Prefers to be called in the morning.",
        },
        joined=build.ago(610),
        codes=("GB", "GBR"),
    )
    jon.custom = {"11": "44", "12": "Throws large platters.\nFires with wood.", "15": [2], "20": [2]}
    build.tag(jon, "customer", "pays-by-paypal", "glaze & slip")
    for list_id in (5, 8, 10):
        build.on_list(jon, list_id)
    build.in_sequence(jon, 33, 2)
    build.in_sequence(jon, 32, 1, active=False)
    build.member(jon, 9, 1)
    build.member(jon, 10, 1, active=False)
    build.pay(jon, "sale", build.ago(10), 234, 59000, last_four="1881", id=99601)
    refunded = build.pay(jon, "sale", build.ago(60), 232, 8900, last_four="1881", id=99602)
    build.refund(refunded, build.ago(55))
    build.pay(jon, "sale", build.ago(500), 231, 14900, last_four="1881", id=99603)
    build.pay(jon, "sale", build.ago(3), 240, 5000, last_four="1881", id=99604)
    paypal = build.subscribe(jon, 236, 1, build.ago(200), processor="paypal", id=14901, gateway_id="I-EXAMPLE00001")
    histories.run(build, paypal)
    build.booked(jon, 510, build.now + timedelta(days=6))


def _odd_names(build: Builder) -> None:
    joined = build.ago(300)
    build.lead(*_at("ben"), {"first_name": "Ben", "last_name": "Osei"}, joined=joined)
    build.lead(*_at("no_name"), {"source": "import"}, joined=joined)
    build.lead(*_at("empty"), {}, joined=joined)
    build.lead(
        *_at("long_name"),
        {
            "first_name": "Wolfgang-Maximilian Friedrich Sebastian Hieronymus",
            "middle_name": "Adolphus Blaine Charles David Earl Frederick Gerald Hubert Irvin John Kenneth Lloyd",
            "last_name": "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafe",
            "last_name2": "Oliver Paul Quincy Randolph Sherman Thomas Uncas Victor William Xerxes Yancy Zeus",
            "company": "Gesellschaft zur Förderung der salzglasierten Steinzeugkeramik des Westerwaldes e. V.",
            "country": "Germany",
            "city": "Höhr-Grenzhausen",
            "score": "7",
        },
        joined=joined,
    )
    build.lead(
        *_at("arabic"),
        {"first_name": "ليلى", "last_name": "المصري", "country": "Egypt", "city": "القاهرة"},
        joined=joined,
    )
    build.lead(
        *_at("hebrew"), {"first_name": "נועה", "last_name": "מזרחי", "country": "Israel", "city": "חיפה"}, joined=joined
    )
    sunny = build.lead(
        *_at("emoji"), {"first_name": "Sunny ☀️", "last_name": "👩🏽‍🎨 Clay", "notes": "🏺🔥"}, joined=joined
    )
    build.tag(sunny, "🔥 wood-firing", "🏺 collector")
    build.lead(
        *_at("cjk"),
        {"first_name": "さくら", "last_name": "高橋", "country": "Japan", "city": "備前市", "state": "岡山県"},
        joined=joined,
    )
    markup = build.lead(
        *_at("markup"),
        {
            "first_name": "<script>alert(1)</script>",
            "last_name": "</title><b>Bold</b>",
            "company": "{{ 7*7 }} & Sons",
            "website": "javascript:alert(1)",
            "notes": "<script>alert('note')</script>",
        },
        joined=joined,
    )
    markup.custom = {"11": "<i>9</i>", "12": "</textarea><script>alert(2)</script>"}
    build.tag(markup, "<b>bold</b>", '"quoted" tag')
    build.lead(
        *_at("markup_image"),
        {"first_name": '"><img src=x onerror=alert(1)>', "last_name": "${7*7}", "lead_picture": 'x" onerror="alert(1)'},
        joined=joined,
    )
    build.lead(
        *_at("apostrophe"), {"first_name": "Siobhán", "last_name": "O'Malley", "city": "D'Arcy's Corner"}, joined=joined
    )


def _standing(build: Builder) -> None:
    joined = build.ago(200)
    build.lead(*_at("deleted"), {"first_name": "Gone", "last_name": "Person"}, joined=joined, deleted=True)
    build.lead(*_at("blacklisted"), {"first_name": "Blake", "last_name": "Lister", "blacklisted": "1"}, joined=joined)
    build.lead(
        *_at("consent_pending"), {"first_name": "Penny", "last_name": "Ding", "gdpr_lead_status": "5"}, joined=joined
    )
    build.lead(
        *_at("consent_refused"),
        {"first_name": "Renée", "last_name": "Fusée", "gdpr_lead_status": "3", "gdpr_lead_status_ip": "203.0.113.40"},
        joined=joined,
    )


def _long_history(build: Builder) -> None:
    margit = build.lead(
        *_at("long_history"),
        {
            "first_name": "Margit",
            "last_name": "Lund",
            "phone_country_code": "+46",
            "phone": "701740601",
            "city": "Höganäs",
            "country": "Sweden",
            "score": "4210",
            "source": "checkout",
        },
        joined=build.ago(3700),
        codes=("SE", "SWE"),
    )
    build.tag(margit, "customer", "vip", "wholesale")
    for list_id in (5, 8, 9, 10, 11):
        build.on_list(margit, list_id)
    build.member(margit, 9, 3)
    weekly = build.subscribe(margit, 236, 2, build.ago(3640), id=14902)
    paid = histories.run(build, weekly, last_four="0707")
    for payment in paid[40::60]:
        build.refund(payment, min(payment.at + timedelta(days=2), build.now), 500)
    histories.run(build, build.subscribe(margit, 223, 1, build.ago(3600)), last_four="0707")
    paused = build.subscribe(margit, 223, 3, build.ago(800), id=14907)
    histories.run(build, paused, last_four="0707", stop=build.ago(120))
    paused.status = "Paused"


def _money_troubles(build: Builder) -> None:
    joined = build.ago(420)
    trouble = build.lead(*_at("trouble"), {"first_name": "Gale", "last_name": "Way"}, joined=joined)
    build.pay(trouble, "sale", build.ago(12), 231, 14900, last_four="0119", gateway_fails=True, id=99605)
    monthly = build.subscribe(trouble, 223, 2, build.ago(90), gateway_fails=True, id=14903)
    histories.run(build, monthly, last_four="0119")

    disputed = build.lead(*_at("chargeback"), {"first_name": "Carl", "last_name": "Backhouse"}, joined=joined)
    build.tag(disputed, "chargeback-risk")
    sale = build.pay(disputed, "sale", build.ago(40), 234, 59000, last_four="0002")
    build.follow(sale, "chargeback", build.ago(15), 59000, number=99607)

    failing = build.lead(*_at("failing"), {"first_name": "Fay", "last_name": "Lingwood"}, joined=joined)
    row = build.subscribe(failing, 236, 1, build.ago(150), id=14904)
    paid = histories.run(build, row, last_four="0341", stop=build.ago(60))
    for days in (58, 55, 52, 49):
        build.follow(paid[-1], "failed", build.ago(days), 8500).parent = None
    histories.end(build, row, paid, build.ago(49, hour=12))
    build.in_sequence(failing, 34, 4)

    ines = build.lead(
        *_at("installments"), {"first_name": "Inès", "last_name": "Beauséjour", "country": "France"}, joined=joined
    )
    histories.run(build, build.subscribe(ines, 235, 1, build.ago(130), id=14905), last_four="5556")
    histories.run(build, build.subscribe(ines, 239, 1, build.ago(8), id=14906), last_four="5556")
    histories.run(build, build.subscribe(ines, 231, 2, build.ago(300), id=14908), last_four="5556")
    build.pay(ines, "sale", build.ago(5), 232, 8900, last_four="4242", is_test=True, id=99606)
