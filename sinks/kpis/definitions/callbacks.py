"""Promises to call back, and how they are kept. Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Tally, Unit, mean_seconds, ratio, tallies
from sinks.kpis.families import CALLBACKS

SECTION: Final = Section(67, "Callbacks")

_COUNTS: Final = tallies(
    offers="step = 'offered'",
    promises="step = 'requested'",
    attempts="step = 'attempted'",
    successes="step = 'connected'",
    failures="step = 'failed'",
    successes_waited="waited_ms IS NOT NULL",
    waits_ms="ifNull(waited_ms, 0)",
) | {"offers_told": Tally("are_offers_told", "max")}
_OFFERS: Final = "if(offers_told, offers, NULL)"
_OFFERED: Final = ("callback.offered", "callback.requested")
_UNTOLD: Final = "NULL, not 0, where no source ever tells of offers. "
_EACH_STEP: Final = "Each step counts when it happened: a callback may end in a later interval."


def _callback(
    name: str,
    unit: Unit,
    expression: str,
    title: str,
    explanation: str,
    pitfalls: str,
    events: tuple[str, ...] = ("callback.requested", "callback.attempted", "callback.connected"),
) -> Kpi:
    return Kpi(
        id=name,
        unit=unit,
        expression=expression,
        title=title,
        explanation=explanation,
        events=events,
        pitfalls=pitfalls,
        source="common to all vendors",
        grain=CALLBACKS,
        counts=_COUNTS,
    )


KPIS: Final = (
    _callback("callback_offered", "contacts", _OFFERS, "Callbacks offered",
              "Callbacks that were offered to waiting customers.", _UNTOLD + _EACH_STEP,
              ("callback.offered",)),
    _callback("callback_accepted_ratio", "ratio", ratio("promises", _OFFERS),
              "Callbacks accepted, of offers", "Callbacks asked for, of those that were offered.",
              _UNTOLD + "Above 1 where customers may ask without an offer.", _OFFERED),
    _callback("callback_requested", "contacts", "promises", "Callbacks accepted",
              "Customers who asked to be called back.", _EACH_STEP),
    _callback("callback_attempted", "contacts", "attempts", "Callbacks attempted",
              "Attempts to call back; one promise may take several.", _EACH_STEP),
    _callback("callback_connected", "contacts", "successes", "Callbacks connected",
              "Callbacks in which customer and agent spoke.", _EACH_STEP),
    _callback("callback_failed", "contacts", "failures", "Callbacks failed",
              "Attempts that reached nobody.", _EACH_STEP),
    _callback("callback_connected_ratio", "ratio", ratio("successes", "promises"),
              "Callbacks kept", "Callbacks connected, of those that were asked for.",
              "Above 1 in intervals in which promises of earlier ones are kept."),
    _callback("average_time_to_callback_seconds", "seconds",
              mean_seconds("waits_ms", "successes_waited"), "Average time to callback",
              "From the request to the conversation, of callbacks that were connected.",
              "Not of those never reached. The contact that calls back must tell `linked_to`."),
)  # fmt: skip
