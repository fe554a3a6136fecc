"""What a wait was estimated to be, and how well it was. Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Unit, mean_seconds, ratio, tallies
from sinks.kpis.families import ESTIMATES

SECTION: Final = Section(30, "Waiting")

TOLERANCE_SECONDS: Final = 30
"""How far off an estimate may be to have been right."""

_SCORED: Final = "outcome = 'answered' AND estimated_ms IS NOT NULL"
_OFF: Final = "ifNull(estimated_ms - wait_ms, 0)"
_COUNTS: Final = tallies(
    estimates="estimated_ms IS NOT NULL",
    estimates_ms="ifNull(estimated_ms, 0)",
    scored=_SCORED,
    scored_well=f"{_SCORED} AND abs({_OFF}) <= {TOLERANCE_SECONDS * 1000}",
    errors_ms=f"if({_SCORED}, abs({_OFF}), 0)",
    biases_ms=f"if({_SCORED}, {_OFF}, 0)",
)
_ANSWERED: Final = (
    "Of contacts that were answered: how long the others would have waited is not known."
)


def _estimate(
    name: str, unit: Unit, expression: str, title: str, explanation: str, pitfalls: str
) -> Kpi:
    return Kpi(
        id=f"estimated_wait_{name}",
        unit=unit,
        expression=expression,
        title=title,
        explanation=explanation,
        events=("queue.entered", "queue.exited", "agent.connected", "agent.state_changed"),
        pitfalls=pitfalls,
        source="the queue-length estimator (Whitt, 1999)",
        grain=ESTIMATES,
        counts=_COUNTS,
    )


KPIS: Final = (
    _estimate("seconds", "seconds", mean_seconds("estimates_ms", "estimates"), "Estimated wait",
              "What a contact's wait was estimated to be when it entered: those before it and "
              "itself, by the handle time of the last hour and the agents at work; 0 while one of "
              "these is free.", "NULL where no agent of the queue was at work: their source must "
              "name the queues that they are on. Agents of several queues count in each."),
    _estimate("scored", "contacts", "scored", "Estimates scored", "Contacts with an estimate that "
              "were answered, so that it can be compared with their wait.", _ANSWERED),
    _estimate("error_seconds", "seconds", mean_seconds("errors_ms", "scored"), "Estimate off by",
              "How far estimates were from the waits that followed, up or down, on average.",
              _ANSWERED),
    _estimate("bias_seconds", "seconds", mean_seconds("biases_ms", "scored"), "Estimate too high "
              "by", "Estimates less the waits that followed, on average; negative where they "
              "promised too much.", "0 where errors of both kinds cancel out. " + _ANSWERED),
    _estimate("within_30_seconds_ratio", "ratio", ratio("scored_well", "scored"), "Estimates good "
              "to 30 s", "Estimates at most 30 seconds off the wait that followed, of those that "
              "were scored.", "Queues whose agents are mostly free are easy to estimate. "
              + _ANSWERED),
)  # fmt: skip
