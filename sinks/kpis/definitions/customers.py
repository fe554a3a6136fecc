"""Who calls again: callers, repeat callers, first contact resolution. Pure.

Count columns of the grains: `callers`, `repeat_callers` (view `callers`); `eligible`, `mature`,
`mature_without_repeat`, `contacts`, `repeat_contacts` (view `fcr`). What a repeat is, and who the
same customer, is in `customers_sql.py`.
"""

from typing import Final

from sinks.kpis.definition import Grain, Kpi, Section, ratio

_EVENTS: Final = ("interaction.started", "queue.entered", "agent.connected")

SECTION: Final = Section(50, "Customers")

KPIS: Final[tuple[Kpi, ...]] = (
    Kpi(
        id="callers",
        unit="customers",
        expression="callers",
        title="Callers",
        explanation="Different customers among the inbound contacts offered in the interval.",
        events=_EVENTS,
        pitfalls="Contacts of unknown customers are in no group. Intervals do not add up.",
        source="common to all vendors",
        grain=Grain.CALLERS,
    ),
    Kpi(
        id="repeat_callers",
        unit="customers",
        expression="repeat_callers",
        title="Repeat callers",
        explanation="Customers with more than one inbound contact offered in the interval.",
        events=_EVENTS,
        pitfalls="Grows with the interval's length: compare equal intervals only.",
        source="common to all vendors",
        grain=Grain.CALLERS,
    ),
    Kpi(
        id="repeat_contacts",
        unit="contacts",
        expression="repeat_contacts",
        title="Repeat contacts",
        explanation="Inbound contacts within the window (24 h unless asked otherwise) of an "
        "earlier one of the same customer, through any queue or channel.",
        events=_EVENTS,
        pitfalls="Counted for the queue that was entered first. Two identifiers that are not yet "
        "known to be one person's are two customers.",
        source="COPC, SQM (repeat-contact method)",
        grain=Grain.FIRST_CONTACT,
    ),
    Kpi(
        id="repeat_contact_ratio",
        unit="ratio",
        expression=ratio("repeat_contacts", "contacts"),
        title="Repeat contact rate",
        explanation="Repeat contacts of all inbound contacts of known customers.",
        events=_EVENTS,
        pitfalls="Not one minus first contact resolution: that looks forward from contacts that "
        "were answered, this back from all.",
        source="COPC, SQM (repeat-contact method)",
        grain=Grain.FIRST_CONTACT,
    ),
    Kpi(
        id="first_contact_eligible",
        unit="contacts",
        expression="eligible",
        title="First contact: eligible",
        explanation="Inbound contacts of known customers that were answered.",
        events=_EVENTS,
        pitfalls="Counted for the queue that answered last, when the contact entered it.",
        source="FCR by repeat, not by survey",
        grain=Grain.FIRST_CONTACT,
    ),
    Kpi(
        id="first_contact_mature",
        unit="contacts",
        expression="mature",
        title="First contact: mature",
        explanation="Eligible contacts whose window has passed: whether it sufficed is decided.",
        events=_EVENTS,
        pitfalls="Measured against the latest event seen, not against the wall clock.",
        source="FCR by repeat, not by survey",
        grain=Grain.FIRST_CONTACT,
    ),
    Kpi(
        id="first_contact_not_mature",
        unit="contacts",
        expression="eligible - mature",
        title="First contact: not mature yet",
        explanation="Eligible contacts whose window is still running.",
        events=_EVENTS,
        pitfalls="They are in neither part of the ratio.",
        source="FCR by repeat, not by survey",
        grain=Grain.FIRST_CONTACT,
    ),
    Kpi(
        id="first_contact_without_repeat",
        unit="contacts",
        expression="mature_without_repeat",
        title="First contact: mature, without repeat",
        explanation="Mature contacts whose customer did not come again within the window.",
        events=_EVENTS,
        pitfalls="A customer who gave up on you, or wrote elsewhere, did not come again either.",
        source="FCR by repeat, not by survey",
        grain=Grain.FIRST_CONTACT,
    ),
    Kpi(
        id="first_contact_resolution_ratio",
        unit="ratio",
        expression=ratio("mature_without_repeat", "mature"),
        title="First contact resolution",
        explanation=(
            "Of the answered inbound contacts whose window (24 h unless asked otherwise) has "
            "passed, the share whose customer did not contact again within it, on any topic and "
            "through any queue or channel; a repeat counts whether it was answered or not."
        ),
        events=_EVENTS,
        pitfalls=(
            "Not resolution as customers see it: ask them as well. Depends on the window, and on "
            "`any topic` or `same topic`, which the view `fcr` takes as parameters."
        ),
        source="COPC, SQM (repeat-contact method)",
        grain=Grain.FIRST_CONTACT,
    ),
)
