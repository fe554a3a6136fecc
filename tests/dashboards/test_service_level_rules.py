"""The rules on service levels that are missed for hours and for days, by `promtool test rules`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.queue_rules import case, check, fired, promtool, series


def counted(met: str, missed: str, minutes: int, target: float = 0.8) -> list[dict[str, str]]:
    """Counters and the target, a sample a minute; `met` and `missed` in promtool's notation."""

    def of(name: str, values: str, **labels: str) -> dict[str, str]:
        return series(name, [], **labels) | {"values": values}

    return [
        of("queue_current", f"1x{minutes}"),
        of("queue_open", f"1x{minutes}"),
        of("queue_threshold", f"{target}x{minutes}", kpi="service_level_target", severity="target"),
        of("queue_contacts_total", met, outcome="service_level_met"),
        of("queue_contacts_total", missed, outcome="service_level_missed"),
        of("queue_contacts_total", f"0+9x{minutes}", outcome="offered"),
    ]


def burning(share: str, allowed: str) -> dict[str, Any]:
    return fired(
        "SwitchboardServiceLevelBurning",
        {"severity": "critical", "kpi": "service_level_burning"},
        "support misses its service level by far",
        f"Of the contacts of support (acme) {share} were not answered within the target, over an"
        " hour and the last 5 minutes, or over 6 hours and the last 30 minutes; the target allows"
        f" {allowed}.",
    )


def test_service_level_burns(tmp_path: Path) -> None:
    name = "SwitchboardServiceLevelBurning"
    hour = 60 * 60

    def minutely(name_: str, given: Sequence[dict[str, str]], *checks: Any) -> dict[str, Any]:
        return case(name_, given, *checks, step="1m")

    cases = [
        minutely(
            "60 % missed over an hour, which is the threshold exactly",
            counted("0+2x120", "0+3x120", 120),
            check(name, 2 * hour, burning("60%", "20%")),
        ),
        minutely(
            "39 % missed is short of both windows' thresholds",
            counted("0+61x420", "0+39x420", 420),
            check(name, 7 * hour),
        ),
        minutely(
            "40 % missed is worth it only over six hours",
            counted("0+3x420", "0+2x420", 420),
            check(name, 7 * hour, burning("40%", "20%")),
        ),
        minutely(
            "of a target of 99 %, 14.4 times the budget is 14.4 %",
            counted("0+85x120", "0+15x120", 120, target=0.99),
            check(name, 2 * hour, burning("15%", "1%")),
        ),
        minutely(
            "an hour that was bad, and is over",
            counted("0x60 0+10x60", "0+3x60 180x60", 120),
            check(name, hour + 900),
        ),
        minutely("too little traffic", counted("0x120", "0+0.2x120", 120), check(name, 2 * hour)),
        minutely(
            "counters that begin anew are no misses",
            counted("100000x60 0x60", "90000x60 0x60", 120),
            *(check(name, 60 * minute) for minute in (61, 65, 90, 110)),
        ),
        minutely(
            "a contact that a late event takes back is no reset",
            counted("50000+9x120", "50000x60 49999x60", 120),
            *(check(name, 60 * minute) for minute in (61, 65, 90)),
        ),
        minutely("no data", counted("_x120", "_x120", 120), check(name, 2 * hour)),
    ]
    promtool(tmp_path, cases, every="1m")


def test_service_level_missed_for_days(tmp_path: Path) -> None:
    name = "SwitchboardServiceLevelMissed"
    days = 3 * 144 + 12  # in steps of ten minutes
    alert = fired(
        name,
        {"severity": "info", "kpi": "service_level_missed"},
        "support has missed its service level for three days",
        "Of the contacts of support (acme) 25% were not answered within the target, over three"
        " days; the target allows 20%.",
    )

    def over(what: str, met: str, missed: str, *expected: dict[str, Any]) -> dict[str, Any]:
        given = counted(f"{met}x{days}", f"{missed}x{days}", days)
        return case(what, given, check(name, days * 600, *expected), step="10m")

    cases = [
        over("a quarter missed", "0+3", "0+1", alert),
        over("one in five is what the target allows", "0+4", "0+1"),
        over("too little traffic", "0+0.03", "0+0.1"),
        over("no data", "_", "_"),
    ]
    promtool(tmp_path, cases, every="10m")
