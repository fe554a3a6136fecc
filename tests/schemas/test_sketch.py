"""The wait bins hold their promises."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.sketch import GAMMA, RELATIVE_ACCURACY, ZERO_BIN, bin_of, bin_value_ms

waits = st.integers(1, 10 * 366 * 86_400_000)


@given(waits)
def test_a_bins_value_is_within_the_accuracy_of_every_wait_in_it(wait_ms: int) -> None:
    assert abs(bin_value_ms(bin_of(wait_ms)) - wait_ms) <= wait_ms * RELATIVE_ACCURACY * (1 + 1e-9)


@given(waits)
def test_a_longer_wait_is_in_no_lower_bin(wait_ms: int) -> None:
    assert bin_of(wait_ms) <= bin_of(wait_ms + 1)
    assert bin_of(wait_ms) > ZERO_BIN


def test_no_wait_at_all_has_a_bin_of_its_own() -> None:
    assert bin_of(0) == ZERO_BIN
    assert bin_value_ms(ZERO_BIN) == 0
    assert GAMMA > 1
