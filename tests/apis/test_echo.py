"""What counts as the same value although it is written otherwise, and what does not."""

from __future__ import annotations

import pytest

from bulkforce.apis.echo import identity, is_notation, may_change, meaning, meanings

SAME = [
    (b"912260031", b"9.12260031E8", b"912260031.0", b" +912260031 ", b"9.12260031e+8"),
    (b"0", b"-0.0", b"false", b"FALSE", b"no", b"0.0"),
    (b"1", b"1.0", b"True", b"yes", b"on"),
    (b"", b"  ", b"#N/A", b"#n/a"),
    (b"2026-12-01T10:00:00Z", b"2026-12-01T11:00:00+01:00", b"2026-12-01t10:00z", b"2026-12-01T10:00:00.000+0000"),
    (b"2026-12-01", b"2026-12-01Z", b"2026-12-01T00:00:00.000Z", b"2026-12-01 00:00:00"),
    (b"10:15", b"10:15:00.000Z", b"10:15:00"),
    (b"a\r\1b", b"a\1b", b"a\rb", b" A\1B\1"),
    ("ÉCOLE".encode(), "école".encode()),
    (b"003P000001avB5GIAU", b"003P000001avB5G"),
    (b"0001-01-01T00:00:00+10:00",),
    (b"2026-13-01",),
    (b"1e999", b"2e999"),
]


@pytest.mark.parametrize("values", SAME)
def test_notations_of_one_value_mean_the_same(values: tuple[bytes, ...]) -> None:
    assert len(set(map(meaning, values))) == 1


def test_other_values_mean_something_else() -> None:
    firsts = [meaning(values[0]) for values in SAME]
    assert len(set(firsts)) == len(SAME)


DISTINCT = [
    (b"1,5", b"15"),
    (b"10:15", b"10:15:01"),
    (b"2026-12-01T10:00:00.5Z", b"2026-12-01T10:00:00Z"),
    (b"nan", b"NaN1"),
    (b"1_0", b"10"),
    (b"a b", b"ab"),
]


@pytest.mark.parametrize(("one", "other"), DISTINCT)
def test_values_that_only_look_alike_do_not_mean_the_same(one: bytes, other: bytes) -> None:
    assert meaning(one) != meaning(other)


@pytest.mark.parametrize("values", [(b"1", b"2.50", b"3E4"), (b"1", b"", b"x"), (b"-", b"e"), (b"",)])
def test_columns_are_read_as_their_values_are(values: tuple[bytes, ...]) -> None:
    assert list(meanings(values)) == list(map(meaning, values))


def test_ids_are_the_same_however_long_they_are_and_whether_or_not_their_case_is_kept() -> None:
    right = b"003P000001avB5G"
    assert {identity(one) for one in (right, right + b"IAU", b"003p000001avb5giau", b" 003P000001AVB5GIAU ")} == {right}
    assert identity(b"003P000001avB5g") != right
    # These are no ids.
    for other in (b"", b"short", b"003P000001avB5G-AU", b"003P000001avB5G999", "003P000001avB5éAU".encode()):
        assert identity(other) == other


def test_columns_of_numbers_and_dates_may_change_and_those_of_texts_do_not() -> None:
    assert may_change([b"1", b"2.5", b"", b"1e9"])
    assert may_change([b"2026-12-01", b""])
    assert may_change([b"true", b"false"])
    assert not may_change([b"a", b"1", b"b"])
    assert not may_change([b"", b""])
    assert not may_change([b"1234567890123456", b"1234567890123457"])
    assert not is_notation(b"Acme")
