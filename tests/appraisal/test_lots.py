"""PostgreSQL sums and digests facts as the definition in the domain says, whatever they hold."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random

import pytest
from tests.harness import service_on

from appraisal import fact_store
from appraisal.domain.lots import lot_digest
from appraisal.fact_store import FactRow, key_of, micros
from common.kernel.exact import parse_exact

pytestmark = pytest.mark.real

START, DAY = datetime(2026, 7, 1, tzinfo=UTC), timedelta(days=1)
SUBJECTS, INDICATORS = ("employee:E1", "employee:E-2_a@b", "team:T.1"), ("in_time_solution", "客诉率 (A+B)/c:d._-")
NUMBERS = ("0", "1", "-0.5", "0.10", "999999999999999999.123456789012", "0.000000000001", "-3")
DIMENSIONS = ("{}", '{"product":"空调 1.5P","team":"T1"}', '{"region":"north/east"}')


def rows(random: Random, count: int) -> list[FactRow]:
    """Facts of every kind, some before the span or after it, some recorded too late."""
    found = []
    for n in range(count):
        subject, indicator = random.choice(SUBJECTS), random.choice(INDICATORS)
        at, known = micros(START) + random.choice((-1, 0, 1, 10**6, 86_400 * 10**6 - 1, 86_400 * 10**6)), random.choice((-1, 0, 1))
        key, revision = key_of(indicator, f"C{n % 150}", subject, 0), n // 150 + 1
        values = random.choice(NUMBERS), random.choice(NUMBERS), at, micros(START + 9 * DAY) + known
        replay = random.choice(("", "log:1"))
        found.append(
            FactRow(key, indicator, f"C{n % 150}", subject, 0, revision, *values, f"e{n}", "a\nb", replay, random.choice(DIMENSIONS))
        )
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_sums_digests_and_members_of_lots_are_those_of_a_plain_count(database: str, seed: int) -> None:
    facts = rows(Random(seed), 450)
    newest: dict[bytes, FactRow] = {}
    for row in facts:
        if row.recorded_at <= micros(START + 9 * DAY) and (row.key not in newest or newest[row.key].revision < row.revision):
            newest[row.key] = row
    expected: dict[tuple[str, str], list[FactRow]] = {}
    for row in newest.values():
        withdrawn = parse_exact(row.numerator) == parse_exact(row.denominator) == 0
        if micros(START) <= row.time < micros(START + DAY) and not withdrawn:
            expected.setdefault((row.subject, row.indicator), []).append(row)
    async with service_on("appraisal", database) as service:
        async with service.database.transaction() as connection:
            await fact_store.merge(connection, facts)
        for _ in range(2):  # the second time every lot is known
            async with service.database.transaction() as connection:
                lots = await fact_store.gather_lots(connection, START, START + DAY, START + 9 * DAY)
        async with service.database.transaction() as connection:
            stored = await fact_store.facts_of_lots(connection, [lot.digest for lot in lots])
    assert {(lot.subject, lot.indicator) for lot in lots} == set(expected)
    for lot in lots:
        own = expected[lot.subject, lot.indicator]
        assert lot.numerator == sum((Fraction(row.numerator) for row in own), Fraction(0))
        assert lot.denominator == sum((Fraction(row.denominator) for row in own), Fraction(0))
        assert lot.replay_of == max(row.replay_of for row in own)
        assert sorted((fact.key, fact.revision) for fact in stored[lot.digest]) == sorted((row.key.hex(), row.revision) for row in own)
        assert lot_digest(lot.subject, lot.indicator, stored[lot.digest]) == lot.digest
