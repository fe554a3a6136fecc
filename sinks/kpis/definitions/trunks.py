"""What never reached the contact centre. Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section

SECTION: Final = Section(11, "Volumes")

KPIS: Final = (
    Kpi(
        id="blocked_ratio",
        unit="ratio",
        expression="CAST(NULL, 'Nullable(Float64)')",
        title="Blocked",
        explanation="Attempts that found no free line, of all attempts.",
        events=(),
        pitfalls="Needs the carrier's data on trunks, of which no event tells: always NULL, and "
        "never 0, so that nobody takes unknown for none.",
        source="Erlang B",
    ),
)
