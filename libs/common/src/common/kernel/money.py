"""Money in exact decimals: computed without rounding, rounded once, where it is shown or paid."""

from decimal import Decimal
from fractions import Fraction


def to_cents(amount: Fraction) -> Decimal:
    """An exact amount as it is paid: two decimals, half up (away from zero for reversals, so that they net to zero)."""
    cents = (abs(amount) * 200 + 1) // 2
    return Decimal(-cents if amount < 0 else cents).scaleb(-2)
