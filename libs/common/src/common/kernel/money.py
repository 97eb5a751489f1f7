"""Money in exact decimals: computed without rounding, rounded once, where it is shown or paid."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction


def to_cents(amount: Fraction) -> Decimal:
    """An exact amount as it is paid: two decimals, half up (away from zero for reversals, so that they net to zero)."""
    sign = -1 if amount < 0 else 1
    whole, rest = divmod(abs(amount) * 100, 1)
    cents = int(whole) + (1 if rest >= Fraction(1, 2) else 0)
    return (Decimal(sign * cents) / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
