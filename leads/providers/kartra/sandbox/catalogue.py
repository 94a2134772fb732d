"""What the two made-up businesses have set up: products, tags, lists, sequences, fields, memberships."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PricePoint:
    """``kind``: single, trial (a small first payment), recurring, installments, or recurring installments."""

    kind: str
    cents: int
    period: str = "monthly"
    installments: int | None = None


@dataclass(frozen=True)
class Product:
    id: int
    name: str
    points: tuple[PricePoint, ...]
    refund_days: int = 180
    shipping: int = 0

    @property
    def is_recurring(self) -> bool:
        return any(point.kind != "single" for point in self.points)


@dataclass(frozen=True)
class Catalogue:
    """The set-up of one account. Ids of tags and lists count up from the first; named ids are given apart."""

    products: tuple[Product, ...]
    tags: dict[int, str]
    lists: dict[int, str]
    sequences: dict[int, tuple[str, int]]
    pages: tuple[str, ...]
    fields: dict[int, tuple[str, str, list[str]]]
    memberships: dict[int, tuple[str, dict[int, str]]]
    calendars: dict[int, tuple[str, bool, list[str]]] = field(default_factory=dict)
    surveys: dict[int, tuple[str, str]] = field(default_factory=dict)
    # tag id -> membership id, level id, whether it grants
    automations: tuple[tuple[int, int, int, bool], ...] = ()
    # list id -> the sequence it starts
    starts: dict[int, int] = field(default_factory=dict)


LONG_TAG = "attended-the-open-studio-weekend-and-asked-to-hear-about-every-later-workshop-in-the-wood-kiln-shed!"

_TAGS = (
    "refunded", "prospect", "kiln-club-gold", "kiln-club-revoke", "kiln-club-silver", "workshop-2024", "workshop-2025",
    "workshop-2026", "glaze & slip", "Raku, wood & soda", "café-regular", "Töpferkurs", "étudiant", "日本語",
    "🔥 wood-firing", "🏺 collector", "vip & friends", "beginner", "advanced", "hand-building", "throwing",
    "porcelain", "no-phone-calls", "pays-by-paypal", "chargeback-risk", "abandoned-cart", "webinar: glaze chemistry",
    "source/instagram", "100% discount", "needs invoice", "wholesale", "teacher", "gift-voucher",
    "newsletter-paused", "birthday-club", "do not merge", "\"quoted\" tag", "<b>bold</b>", LONG_TAG,
)  # fmt: skip

STUDIO = Catalogue(
    products=(
        Product(
            223,
            "Kiln Club",
            (
                PricePoint("recurring", 19900, "yearly"),
                PricePoint("recurring", 1995),
                PricePoint("recurring", 5400, "quarterly"),
            ),
        ),
        Product(
            231,
            "Glaze Chemistry Online",
            (PricePoint("single", 14900), PricePoint("installments", 5200, installments=3)),
        ),
        Product(232, "Throwing Off the Hump", (PricePoint("single", 8900),)),
        Product(233, "Raku Weekend Workshop", (PricePoint("single", 24500),), refund_days=14),
        Product(
            234,
            "Kiln Building Masterclass",
            (PricePoint("single", 59000), PricePoint("installments", 10500, installments=6)),
        ),
        Product(235, "The Porcelain Year", (PricePoint("recurring installments", 4900, installments=12),)),
        Product(
            236, "Studio Shelf & Wheel Time", (PricePoint("recurring", 8500), PricePoint("recurring", 2500, "weekly"))
        ),
        Product(237, "Trimming Tool Kit", (PricePoint("single", 6450),), shipping=800),
        Product(238, "Handbuilding for Beginners", (PricePoint("single", 3900),)),
        Product(239, "Ceramics Business Bootcamp", (PricePoint("trial", 29700, installments=2),)),
        Product(240, "Gift Voucher", (PricePoint("single", 5000),), refund_days=0),
        Product(241, "Clay Cast Supporters (closed)", (PricePoint("recurring", 500, "every 2 weeks"),)),
    ),
    tags={71: "customer", 88: "vip", **dict(enumerate(_TAGS, 101))},
    lists={
        5: "Newsletter", 6: "Old promo", 7: "Workshop waiting list", 8: "Kiln Club members", 9: "Glaze lab notes",
        10: "Customers", 11: "Open studio weekends", 12: "Élèves du mardi", 13: "Webinar: firing curves",
        14: "Wholesale & trade", 15: "Podcast listeners", 16: "Do not mail",
    },
    sequences={
        31: ("Welcome series", 5), 32: ("Win back", 3), 33: ("Kiln Club onboarding", 7),
        34: ("Failed payment reminders", 4), 35: ("Raku weekend: before you come", 3),
        36: ("Glaze Chemistry drip", 12), 37: ("Open studio invitations", 2), 38: ("Anniversary & thanks", 1),
    },
    pages=(
        "Home", "Kiln Club sales page", "Glaze Chemistry checkout", "Raku Weekend Workshop", "Thank you",
        "Webinar registration", "Members' library", "Privacy & terms", "Gift vouchers",
    ),
    fields={
        11: ("shoe_size", "input_field", []),
        12: ("about_me", "text_area", []),
        13: ("plan", "drop_down", ["hobby", "studio"]),
        14: ("glazes", "checkbox", ["celadon", "shino", "tenmoku"]),
        15: ("newsletter_day", "radio_button", ["monday", "friday"]),
        16: ("kiln_type", "drop_down", ["electric", "gas", "wood", "raku", "none yet"]),
        17: ("years_of_practice", "input_field", []),
        18: ("studio_visit_notes", "text_area", []),
        19: ("workshop_interests", "checkbox", ["throwing", "hand-building", "glazing", "wood firing", "décor"]),
        20: ("preferred_contact", "radio_button", ["email", "telephone", "letter", "not at all"]),
        21: ("birthday", "input_field", []),
        22: ("accessibility", "checkbox", ["step-free", "seated wheel", "quiet hours"]),
    },
    memberships={
        9: ("Kiln Club", {1: "Silver", 2: "Gold", 3: "Platinum"}),
        10: ("Glaze Library", {1: "Reader", 2: "Contributor"}),
        11: ("Workshop Recordings", {1: "All years"}),
    },
    calendars={
        51: ("Studio visits", True, ["Tour of the kiln shed", "One-to-one wheel hour"]),
        52: ("Evening classes", True, ["Tuesday throwing", "Thursday hand-building"]),
        53: ("Summer school (being set up)", False, ["Week one"]),
    },
    surveys={61: ("What do you want to learn?", "1"), 62: ("How was the workshop?", "1"), 63: ("Glaze quiz", "2")},
    automations=((103, 9, 2, True), (105, 9, 1, True), (104, 9, 2, False)),
    starts={5: 31, 8: 33},
)  # fmt: skip

BINDERY = Catalogue(
    products=(
        Product(301, "Coptic Binding Course", (PricePoint("single", 12000),)),
        Product(302, "Paper of the Month", (PricePoint("recurring", 1800),)),
    ),
    tags={201: "binder", 202: "paper-club", 203: "customer"},
    lists={21: "Bindery news"},
    sequences={41: ("First steps in binding", 4)},
    pages=("Second Sparrow home",),
    fields={91: ("favourite_thread", "input_field", []), 92: ("press", "drop_down", ["nipping press", "none"])},
    memberships={12: ("Paper Club", {1: "Member"})},
)
