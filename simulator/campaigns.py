"""Campaigns: a message to many customers, and the contacts that it causes. Pure."""

from typing import Literal, cast

from schemas.events import CampaignMessage
from schemas.topics import EVENTS_CUSTOMER
from simulator.centre import Centre, Process
from simulator.clock import HOUR_MS
from simulator.people import subject_of
from simulator.settings import CampaignModel
from simulator.truth import Mailing, Person


def send(centre: Centre, campaign: CampaignModel) -> Process:
    """All messages of a campaign, one after the other, each of them a process of its own."""
    gap = max(1, round(1000 / campaign.messages_a_second))
    yield centre.env.until(round(campaign.at_hour * HOUR_MS))
    for _ in range(campaign.messages):
        centre.start(_message(centre, campaign, centre.population.somebody()))
        yield centre.env.timeout(gap)


def _message(centre: Centre, campaign: CampaignModel, person: Person) -> Process:
    dice, env = centre.dice_of("campaigns"), centre.env
    medium = cast("Literal['email', 'sms']", campaign.medium)
    told = CampaignMessage(medium=medium, campaign=campaign.name)
    shown = person.identifiers[1 if medium == "email" else 0]
    subject = subject_of(shown)
    mailing = Mailing(campaign.name, medium, person.number, env.now, shown=shown)
    centre.truth.mailings.append(mailing)
    centre.tell(EVENTS_CUSTOMER, "campaign.message_sent", subject, told)
    yield env.timeout(dice.within(0.5, 60))
    if not dice.chance(campaign.delivered_share):
        mailing.failed_at = env.now
        centre.tell(EVENTS_CUSTOMER, "campaign.failed", subject, told)
        return
    mailing.delivered_at = env.now
    centre.tell(EVENTS_CUSTOMER, "campaign.delivered", subject, told)
    if not dice.chance(campaign.opened_share):
        return
    yield env.timeout(dice.waiting(5400))
    mailing.opened_at = env.now
    centre.tell(EVENTS_CUSTOMER, "campaign.opened", subject, told)
    if dice.chance(campaign.clicked_share):
        yield env.timeout(dice.within(2, 120))
        mailing.clicked_at = env.now
        centre.tell(EVENTS_CUSTOMER, "campaign.clicked", subject, told)
    if dice.chance(campaign.contact_share) and env.now < centre.closes_at:
        yield env.timeout(dice.waiting(1800))
        centre.arrive(dice.pick(centre.settings.queues), person, "", campaign.name)
