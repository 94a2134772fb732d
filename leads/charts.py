"""A bar chart drawn by the server: the geometry here, the SVG in the template ``components/_bar_chart.html``."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH, HEIGHT = 720, 220
LEFT, TOP, FOOT = 84, 12, 32
_FILL = Decimal("0.56")  # of a bar's slot


@dataclass(frozen=True)
class Bar:
    """``middle`` is where its label stands. Coordinates are the SVG's own units."""

    label: str
    value: Decimal
    x: float
    y: float
    width: float
    height: float
    middle: float
    is_marked: bool


@dataclass(frozen=True)
class Line:
    """A horizontal line, with the amount it stands for."""

    value: Decimal
    y: float


@dataclass(frozen=True)
class BarChart:
    title: str
    description: str
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT

    @property
    def foot(self) -> int:
        """Where the labels under the bars stand."""
        return HEIGHT - 8


def bar_chart(title: str, description: str, values: Sequence[tuple[str, Decimal]], *, marked: str = "") -> BarChart:
    """One bar for each label and value; the bar labelled ``marked`` stands out."""
    top = _round_up(max((value for _, value in values), default=Decimal(0)))
    room = HEIGHT - TOP - FOOT
    slot = Decimal(WIDTH - LEFT) / max(len(values), 1)
    bars = []
    for place, (label, value) in enumerate(values):
        height = value / top * room
        x = LEFT + slot * place + slot * (1 - _FILL) / 2
        bars.append(
            Bar(
                label,
                value,
                round(float(x), 1),
                round(float(TOP + room - height), 1),
                round(float(slot * _FILL), 1),
                round(float(height), 1),
                round(float(x + slot * _FILL / 2), 1),
                label == marked,
            )
        )
    lines = (Line(top * part / 2, round(float(TOP + room * (2 - part) / 2), 1)) for part in range(3))
    return BarChart(title, description, tuple(bars), tuple(lines))


def _round_up(value: Decimal) -> Decimal:
    """The next number of one digit and zeros whose half is round as well, at least 10."""
    step = Decimal(10)
    while True:
        for factor in (1, 2, 3, 4, 6, 8):
            if value <= step * factor:
                return step * factor
        step *= 10
