"""What never reached the contact centre. Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Tally, Unit, ratio, tallies
from sinks.kpis.families import TRUNKS

SECTION: Final = Section(11, "Volumes")

_COUNTS: Final = tallies(attempts="1", blocks="is_blocked") | {
    "trunks_told": Tally("is_told", "max")
}
_UNTOLD: Final = (
    "NULL, never 0, where no source ever tells `call.blocked`: nobody shall take unknown for none. "
    "Who is blocked and tries again counts each time."
)


def _known(count: str) -> str:
    return f"if(trunks_told, {count}, NULL)"


def _trunk(name: str, unit: Unit, expression: str, title: str, explanation: str) -> Kpi:
    return Kpi(
        id=name,
        unit=unit,
        expression=expression,
        title=title,
        explanation=explanation,
        events=("call.blocked", "interaction.started"),
        pitfalls=_UNTOLD,
        source="Erlang B",
        grain=TRUNKS,
        counts=_COUNTS,
    )


KPIS: Final = (
    _trunk("calls_attempted", "contacts", _known("attempts"), "Call attempts",
           "Calls in and out, and attempts of which none came because no line was free."),
    _trunk("calls_blocked", "contacts", _known("blocks"), "Calls blocked",
           "Attempts that found no free line."),
    _trunk("blocked_ratio", "ratio", ratio(_known("blocks"), "attempts"), "Blocked",
           "Attempts that found no free line, of all attempts."),
)  # fmt: skip
