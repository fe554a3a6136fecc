"""How many contacts came, and what became of them. Pure."""

from typing import Final

from sinks.kpis.counts import EXITS
from sinks.kpis.definition import Kpi, Section, ratio

FLOWED_OUT: Final = " + ".join(EXITS)
"""F: contacts that left the queue neither answered nor by hanging up."""
CONCLUDED: Final = f"answered + abandoned + {FLOWED_OUT}"
"""A + B + F: contacts that no longer wait."""

_QUEUE: Final = ("queue.entered", "queue.exited")
_ANSWER: Final = ("queue.entered", "agent.connected")

_EXIT_TEXT: Final[dict[str, tuple[str, str, str]]] = {
    "timed_out": (
        "Timed out",
        "Contacts that the queue let go because they had waited as long as it allows.",
        "Not an abandonment: the customer did not give up, the queue did. See `lost_ratio`.",
    ),
    "overflowed": (
        "Overflowed",
        "Contacts sent elsewhere because the queue was full or too slow.",
        "They are offered again where they arrive: do not add offered contacts of both queues.",
    ),
    "key_pressed": (
        "Left by key",
        "Contacts that left the queue by pressing a key that the queue offers.",
        "Where the key asks for a callback, the source should say `callback_accepted` instead.",
    ),
    "callback_accepted": (
        "Callbacks accepted",
        "Contacts that gave up their place for a promise to be called back.",
        "Not an abandonment. The callback is an interaction of its own, linked to this one.",
    ),
    "emptied": (
        "Removed",
        "Contacts that the system removed from the queue, because nobody served it, for instance.",
        "A sign of a queue without agents rather than of impatient customers.",
    ),
    "transferred_waiting": (
        "Transferred while waiting",
        "Contacts moved to another destination before any agent had answered them.",
        "Not a transfer by an agent: see `transferred`.",
    ),
}

SECTION: Final = Section(10, "Volumes")

KPIS: Final[tuple[Kpi, ...]] = (
    Kpi(
        id="offered",
        unit="contacts",
        expression="offered",
        title="Offered",
        explanation="N: contacts that entered the queue. A contact that enters twice counts twice.",
        events=("queue.entered",),
        pitfalls="Hang-ups in the voice menu never entered a queue and are not offered.",
        source="common to all vendors",
    ),
    Kpi(
        id="answered",
        unit="contacts",
        expression="answered",
        title="Answered",
        explanation="A: offered contacts that were connected to an agent.",
        events=_ANSWER,
        pitfalls="A contact being talked to is answered already; see `ended` for concluded ones.",
        source="common to all vendors",
    ),
    Kpi(
        id="abandoned",
        unit="contacts",
        expression="abandoned",
        title="Abandoned",
        explanation="B: contacts whose customer hung up while waiting.",
        events=_QUEUE,
        pitfalls="Neither a callback accepted nor a time-out is an abandonment.",
        source="common to all vendors",
    ),
    *(
        Kpi(
            id=name,
            unit="contacts",
            expression=name,
            title=_EXIT_TEXT[name][0],
            explanation=_EXIT_TEXT[name][1],
            events=_QUEUE,
            pitfalls=_EXIT_TEXT[name][2],
            source="part of F, contacts flowed out",
        )
        for name in EXITS
    ),
    Kpi(
        id="open",
        unit="contacts",
        expression=f"offered - ({CONCLUDED})",
        title="Still open",
        explanation="Offered contacts of which no exit is known: N - A - B - F.",
        events=_QUEUE,
        pitfalls=(
            "Of an interval's contacts, not of those waiting now. `presumed_lost` says how many of "
            "them will probably never conclude. Always 0 by `ended`."
        ),
        source="N = A + B + F + open",
    ),
    Kpi(
        id="presumed_lost",
        unit="contacts",
        expression="presumed_lost",
        title="Presumed lost",
        explanation=(
            "Open contacts whose interaction has been silent for longer than its channel's horizon "
            "(calls 2 h), measured against the watermark. They stay within `open`."
        ),
        events=_QUEUE,
        pitfalls="A judgement when read: a contact that speaks again is no longer counted here.",
        source="Switchboard; a lost event or a crashed exchange leaves contacts open for ever",
    ),
    Kpi(
        id="ended",
        unit="contacts",
        expression="ended",
        title="Handled",
        explanation="Answered contacts whose conversation is over, completed or transferred.",
        events=(*_ANSWER, "interaction.ended"),
        pitfalls="Smaller than `answered` while agents are talking: means of talk divide by this.",
        source="Genesys `tHandle` count, Amazon Connect `Contacts handled`",
    ),
    Kpi(
        id="abandonment_ratio",
        unit="ratio",
        expression=ratio("abandoned", CONCLUDED),
        title="Abandonment",
        explanation="B / (A + B + F): the share of concluded contacts whose customer gave up.",
        events=_QUEUE,
        pitfalls=(
            "Contacts still open are neither: they would lower the ratio now and raise it later. "
            "Some vendors divide by A + B, some remove short abandons."
        ),
        source="Vonage, Amazon Connect",
    ),
    Kpi(
        id="abandonment_net_of_short_ratio",
        unit="ratio",
        expression=ratio("abandoned - abandoned_short", f"{CONCLUDED} - abandoned_short"),
        title="Abandonment, net of short",
        explanation=(
            "(B - B_S) / (A + B + F - B_S): without those who hung up within the short-abandon "
            "threshold S, who most likely dialled wrongly."
        ),
        events=_QUEUE,
        pitfalls="Depends on S: compare only queues with the same S. B_S is `abandoned_short`.",
        source="Genesys, Twilio Flex",
    ),
    Kpi(
        id="lost_ratio",
        unit="ratio",
        expression=ratio("abandoned + timed_out", CONCLUDED),
        title="Lost",
        explanation="(B + timed out) / (A + B + F): contacts that wanted an agent and got none.",
        events=_QUEUE,
        pitfalls="Contacts blocked before the queue (no free trunk) are not known here.",
        source="telephony practice (lost calls)",
    ),
)
