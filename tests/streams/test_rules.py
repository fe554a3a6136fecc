"""What the settings come to."""

from schemas.settings import load_settings
from streams.blocks import Pace
from streams.rules import rules_of


def test_rules_and_pace_are_those_of_the_settings() -> None:
    settings = load_settings(
        None,
        {
            "broker": {"session_timeout_seconds": 12},
            "processing": {"lateness_seconds": 7.5, "max_skew_seconds": 2, "flush_rows": 77},
        },
    )
    rules, pace = rules_of(settings), Pace.of(settings)
    assert (rules.lateness_ms, rules.max_skew_ms) == (7_500, 2_000)
    assert rules.horizons_ms["call"] == 7_200_000
    assert rules.thresholds_of("any") == settings.queue("").within_ms
    assert (pace.flush_rows, pace.revoke_seconds) == (77, 6)
