"""What agents do with contacts: ring, talk, hold, wrap up, pass on. Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, mean_seconds, ratio

_TALK: Final = ("agent.connected", "interaction.ended")
_HOLD: Final = (*_TALK, "hold.started", "hold.ended")
_WRAPUP: Final = (*_TALK, "wrapup.started", "wrapup.ended")
_RING: Final = ("agent.offered", "agent.missed", "agent.connected")
_TRANSFER: Final = ("agent.connected", "transfer.completed")

TRANSFERRED: Final = "transferred_blind + transferred_consult + transferred_recall"

SECTION: Final = Section(40, "Handling")

KPIS: Final[tuple[Kpi, ...]] = (
    Kpi(
        id="average_talk_seconds",
        unit="seconds",
        expression=mean_seconds("talk_ms", "ended"),
        title="Average talk time",
        explanation="Talk of handled contacts, divided by their number.",
        events=_TALK,
        pitfalls="Where a source measures talk itself (Asterisk), time on hold may be within it.",
        source="common to all vendors (ATT)",
    ),
    Kpi(
        id="average_hold_seconds",
        unit="seconds",
        expression=mean_seconds("hold_ms", "ended"),
        title="Average hold time",
        explanation="Time on hold, divided by all handled contacts.",
        events=_HOLD,
        pitfalls="Amazon divides by contacts that were held: `average_hold_per_held_seconds`.",
        source="Genesys",
    ),
    Kpi(
        id="average_hold_per_held_seconds",
        unit="seconds",
        expression=mean_seconds("hold_ms", "held"),
        title="Average hold time of held contacts",
        explanation="Time on hold, divided by the contacts that were put on hold at all.",
        events=_HOLD,
        pitfalls="Not additive with talk and wrap-up: they have other denominators.",
        source="Amazon Connect (average customer hold time)",
    ),
    Kpi(
        id="average_wrapup_seconds",
        unit="seconds",
        expression=mean_seconds("wrapup_ms", "ended"),
        title="Average wrap-up time",
        explanation="After-contact work, divided by all handled contacts.",
        events=_WRAPUP,
        pitfalls="0 where a source reports no wrap-up: see the variant per contact wrapped up.",
        source="Genesys, Amazon Connect (ACW)",
    ),
    Kpi(
        id="average_wrapup_per_wrapped_up_seconds",
        unit="seconds",
        expression=mean_seconds("wrapup_ms", "wrapped_up"),
        title="Average wrap-up time of contacts wrapped up",
        explanation="After-contact work, divided by the contacts that had any.",
        events=_WRAPUP,
        pitfalls="NULL, not 0, where a source does not report wrap-up.",
        source="Switchboard: both denominators are in use",
    ),
    Kpi(
        id="average_handle_seconds",
        unit="seconds",
        expression=mean_seconds("talk_ms + hold_ms + wrapup_ms", "ended"),
        title="Average handle time",
        explanation="(talk + hold + wrap-up) / handled contacts.",
        events=(*_HOLD, "wrapup.started", "wrapup.ended"),
        pitfalls=(
            "Belongs to when work ended: read it by `ended` to staff by it. By `offered` it "
            "describes the contacts that came in the interval."
        ),
        source="common to all vendors (AHT)",
    ),
    Kpi(
        id="average_ring_seconds",
        unit="seconds",
        expression=mean_seconds("ring_ms", "rung"),
        title="Average ring time",
        explanation="How long the phone of the agent who answered rang, per answered contact rung.",
        events=_RING,
        pitfalls="Rings that were missed are not in it; ring time is part of the customer's wait.",
        source="Asterisk queue_log (CONNECT ringtime)",
    ),
    *(
        Kpi(
            id=f"transferred_{kind}",
            unit="contacts",
            expression=f"transferred_{kind}",
            title=title,
            explanation=explanation,
            events=_TRANSFER,
            pitfalls="One contact passed on twice is counted by its last transfer.",
            source="common to all vendors",
        )
        for kind, title, explanation in (
            ("blind", "Blind transfers", "Handled contacts passed on without a word before."),
            (
                "consult",
                "Consult transfers",
                "Handled contacts passed on after talking to the target (attended, warm).",
            ),
            (
                "recall",
                "Recalled transfers",
                "Handled contacts that came back to the agent because the target did not answer.",
            ),
        )
    ),
    Kpi(
        id="transferred",
        unit="contacts",
        expression=TRANSFERRED,
        title="Transferred",
        explanation="Handled contacts that the agent passed on: blind, consult or recalled.",
        events=_TRANSFER,
        pitfalls="Contacts moved while waiting are `transferred_waiting`, not these.",
        source="common to all vendors",
    ),
    *(
        Kpi(
            id=f"transfer_{kind}_ratio",
            unit="ratio",
            expression=ratio(f"transferred_{kind}", "ended"),
            title=f"Transfer rate, {kind}",
            explanation=f"Transfers of the kind `{kind}`, divided by handled contacts.",
            events=_TRANSFER,
            pitfalls=mind,
            source="common to all vendors",
        )
        for kind, mind in (
            ("blind", "Nobody knows whether the target could help."),
            ("consult", "The agent spoke with the target first: time of two agents."),
            ("recall", "It came back unanswered to whoever passed it on, who ended it."),
        )
    ),
    Kpi(
        id="transfer_ratio",
        unit="ratio",
        expression=ratio(TRANSFERRED, "ended"),
        title="Transfer rate",
        explanation="Transferred / handled.",
        events=(*_TRANSFER, "interaction.ended"),
        pitfalls="Some vendors leave out recalled transfers, which this counts.",
        source="Genesys, Amazon Connect",
    ),
    Kpi(
        id="missed_rings",
        unit="rings",
        expression="missed_rings",
        title="Missed rings",
        explanation="Times that an agent's phone rang for a contact and was not answered.",
        events=("agent.missed",),
        pitfalls="A missed ring is not a lost contact: one contact may ring at ten phones in turn.",
        source="Asterisk queue_log (RINGNOANSWER)",
    ),
    Kpi(
        id="missed_rings_per_offered",
        unit="rings per contact",
        expression=ratio("missed_rings", "offered"),
        title="Missed rings an offered contact",
        explanation="Missed rings / offered contacts.",
        events=("queue.entered", "agent.missed"),
        pitfalls="Not a share: it is often above 1.",
        source="Switchboard",
    ),
)
