"""What becomes of campaigns' messages (`--split campaign`). Pure."""

from typing import Final

from sinks.kpis.definition import Kpi, Section, Unit, ratio, tallies
from sinks.kpis.families import CAMPAIGNS

SECTION: Final = Section(80, "Campaigns")

_STEPS: Final = ("message_sent", "failed", "delivered", "opened", "clicked", "contact")
_COUNTS: Final = tallies(**{f"n_{step}": f"step = '{step}'" for step in _STEPS})
_STEP: Final = "Each step counts when it happened: some are opened in a later interval."
_OPENED: Final = "Mail programs open by themselves, or tell nobody. " + _STEP


def _step(name: str, unit: Unit, expression: str, title: str, says: str, mind: str = _STEP) -> Kpi:
    return Kpi(
        id=f"campaign_{name}",
        unit=unit,
        expression=expression,
        title=title,
        explanation=says,
        events=("campaign.message_sent", "campaign.delivered", "campaign.opened"),
        pitfalls=mind,
        source="common to all vendors",
        grain=CAMPAIGNS,
        counts=_COUNTS,
    )


KPIS: Final = (
    _step("sent", "messages", "n_message_sent", "Sent", "Messages of campaigns."),
    _step("failed", "messages", "n_failed", "Failed", "Messages that could not be delivered."),
    _step("delivered", "messages", "n_delivered", "Delivered", "Messages that arrived."),
    _step("opened", "messages", "n_opened", "Opened", "Messages that were opened.", _OPENED),
    _step("clicked", "messages", "n_clicked", "Clicked", "Messages in which a link was followed."),
    _step("delivered_ratio", "ratio", ratio("n_delivered", "n_message_sent"), "Delivery rate",
          "Delivered, of those sent."),
    _step("opened_ratio", "ratio", ratio("n_opened", "n_message_sent"), "Open rate",
          "Opened, of those sent.", _OPENED),
    _step("clicked_ratio", "ratio", ratio("n_clicked", "n_message_sent"), "Click rate",
          "Clicked, of those sent."),
    _step("contacts", "contacts", "n_contact", "Contacts after", "Inbound contacts within 24 hours "
          "after a message to that customer, put to the last one before.", "After, not because of: "
          "some would have come anyhow. Counted when the message was sent."),
)  # fmt: skip
