"""Service level: one function and the presets by which vendors call it. Pure.

    SL = (A_T + a B_T + c callback_T) / (A + b (B - s B_S - t B_T) + f F)

with A answered, B abandoned, F flowed out; X_T those of X that waited at most the target T, B_S
those that hung up within the short-abandon threshold S. The same calls differ by ten points
between presets: a service level is never shown without its preset's name.
"""

from dataclasses import dataclass
from typing import Final

from schemas.queues import Preset as PresetId
from sinks.kpis.definition import Kpi, Section, ratio
from sinks.kpis.definitions.volumes import FLOWED_OUT


@dataclass(frozen=True, slots=True)
class Preset:
    """The coefficients of one way to compute a service level.

    `answered_once_ended` counts an answered contact when its conversation is over, not at once.
    """

    id: PresetId
    title: str
    rule: str
    source: str
    pitfalls: str
    abandoned_in_target_met: bool = False
    callback_in_target_met: bool = False
    abandoned_counted: bool = True
    short_abandons_removed: bool = False
    in_target_abandons_removed: bool = False
    flowed_out_counted: bool = True
    answered_once_ended: bool = False


def service_level(preset: Preset) -> str:
    """The service level of `preset` over count columns: between 0 and 1, or NULL."""
    met = ["ended_in_target" if preset.answered_once_ended else "answered_in_target"]
    if preset.abandoned_in_target_met:
        met.append("abandoned_in_target")
    if preset.callback_in_target_met:
        met.append("callback_in_target")
    counted = "ended" if preset.answered_once_ended else "answered"
    if preset.abandoned_counted:
        counted += " + abandoned"
    if preset.short_abandons_removed:
        counted += " - abandoned_short"
    if preset.in_target_abandons_removed:
        counted += " - abandoned_in_target"
    if preset.flowed_out_counted:
        counted += f" + {FLOWED_OUT}"
    return ratio(" + ".join(met), counted)


_CISCO_EVENTS: Final = (
    "Stored contacts are counted when they are concluded; Cisco counts one as soon as its wait "
    "passes T, so contacts still waiting beyond T are missing here until they leave the queue."
)

PRESETS: Final[tuple[Preset, ...]] = (
    Preset(
        id="offered",
        title="of all concluded",
        rule="A_T / (A + B + F)",
        source="Vonage (default), Genesys with flow-outs",
        pitfalls="Counts against the queue who hung up at once and who left by their own choice.",
    ),
    Preset(
        id="answered_abandoned",
        title="of answered and abandoned",
        rule="A_T / (A + B)",
        source="Genesys, Vonage (option)",
        pitfalls="A queue that times contacts out looks better than it is.",
        flowed_out_counted=False,
    ),
    Preset(
        id="short_abandons_removed",
        title="without short abandons",
        rule="A_T / (A + B - B_S)",
        source="Genesys, Twilio Flex",
        pitfalls="Depends on S as well as on T.",
        short_abandons_removed=True,
        flowed_out_counted=False,
    ),
    Preset(
        id="abandons_in_target_removed",
        title="without abandons in target",
        rule="A_T / (A + B - B_T)",
        source="XCALLY",
        pitfalls="Rises with T by forgiving abandons, not only by answering in time.",
        in_target_abandons_removed=True,
        flowed_out_counted=False,
    ),
    Preset(
        id="answered_only",
        title="of answered",
        rule="A_T / A",
        source="Genesys with abandons off",
        pitfalls="Blind to everybody who gave up: a queue that answers one in ten can show 100 %.",
        abandoned_counted=False,
        flowed_out_counted=False,
    ),
    Preset(
        id="all_exits",
        title="all exits in target met",
        rule="(A_T + B_T + callback_T) / (A + B + F)",
        source="Amazon Connect",
        pitfalls="An abandon within T counts as success.",
        abandoned_in_target_met=True,
        callback_in_target_met=True,
    ),
    Preset(
        id="asterisk_perf",
        title="Asterisk, completed calls",
        rule="ended_T / ended",
        source="Asterisk `queue show` (ServicelevelPerf)",
        pitfalls="Calls being talked to are not in it yet, abandoned ones never.",
        answered_once_ended=True,
        abandoned_counted=False,
        flowed_out_counted=False,
    ),
    Preset(
        id="asterisk_perf2",
        title="Asterisk, completed and abandoned",
        rule="(ended_T + B_T) / (ended + B)",
        source="Asterisk `queue show` (ServicelevelPerf2)",
        pitfalls="Calls being talked to are not in it yet; an abandon within T counts as success.",
        answered_once_ended=True,
        abandoned_in_target_met=True,
        flowed_out_counted=False,
    ),
    Preset(
        id="cisco_ignored",
        title="Cisco, abandons ignored",
        rule="A_T / (A + B + F - B_T)",
        source="Cisco ICM, service-level type 1",
        pitfalls=_CISCO_EVENTS,
        in_target_abandons_removed=True,
    ),
    Preset(
        id="cisco_negative",
        title="Cisco, abandons missed",
        rule="A_T / (A + B + F)",
        source="Cisco ICM, service-level type 2",
        pitfalls=_CISCO_EVENTS,
    ),
    Preset(
        id="cisco_positive",
        title="Cisco, abandons met",
        rule="(A_T + B_T) / (A + B + F)",
        source="Cisco ICM, service-level type 3",
        pitfalls=_CISCO_EVENTS + " An abandon within T counts as success.",
        abandoned_in_target_met=True,
    ),
)

_EVENTS: Final = ("queue.entered", "agent.connected", "queue.exited")
_THRESHOLD: Final = (
    "NULL where a pane was written before its queue had this threshold: ask for it by number, and "
    "it is counted from interactions."
)

SECTION: Final = Section(20, "Service level")

KPIS: Final[tuple[Kpi, ...]] = (
    Kpi(
        id="answered_in_target",
        unit="contacts",
        expression="answered_in_target",
        title="Answered in target",
        explanation="A_T: answered contacts that had waited at most the target T.",
        events=_EVENTS,
        pitfalls=_THRESHOLD,
        source="common to all vendors",
    ),
    Kpi(
        id="abandoned_in_target",
        unit="contacts",
        expression="abandoned_in_target",
        title="Abandoned in target",
        explanation="B_T: customers who hung up after waiting at most the target T.",
        events=_EVENTS,
        pitfalls=_THRESHOLD,
        source="common to all vendors",
    ),
    Kpi(
        id="abandoned_short",
        unit="contacts",
        expression="abandoned_short",
        title="Short abandons",
        explanation="B_S: customers who hung up after at most the short-abandon threshold S.",
        events=_EVENTS,
        pitfalls=_THRESHOLD,
        source="Genesys, Twilio Flex",
    ),
    *(
        Kpi(
            id=f"service_level_ratio.{preset.id}",
            unit="ratio",
            expression=service_level(preset),
            title=f"Service level, {preset.title}",
            explanation=f"{preset.rule}, with T the queue's target and S its short-abandon limit.",
            events=(*_EVENTS, "interaction.ended") if preset.answered_once_ended else _EVENTS,
            pitfalls=preset.pitfalls,
            source=preset.source,
        )
        for preset in PRESETS
    ),
)
