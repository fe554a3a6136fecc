"""Whole centres to simulate: `small`, `day` and `large`. Pure."""

from collections.abc import Callable
from typing import Any, Final

from simulator.settings import CallModel, CampaignModel, PeopleModel, QueueModel, Simulation

SKILLS: Final = (
    "billing", "technical", "orders", "returns", "sales", "accounts", "shipping", "warranty",
    "business", "retention", "installation", "travel", "loans", "cards", "claims", "energy",
    "mobile", "internet", "tickets", "complaints",
)  # fmt: skip
CALLS_AN_AGENT: Final = 62
"""Calls for each agent on the phone a day: enough to make them wait at the peaks."""
LINES_AN_AGENT: Final = 0.75
"""Lines for each agent on the phone: too few for the busiest minutes."""


def small(**changes: Any) -> Simulation:
    """Twelve agents, five queues, all channels; about 7,000 events a day."""
    queues = (
        _call("support", "technical", 300, overflow_to="sales", callback_after_seconds=90),
        _call("sales", "sales", 160, purpose="sales", outbound_a_day=40, priority=1),
        _written("chat", "chat", "technical", 70),
        _written("mail", "email", "technical", 40),
        _written("social", "social", "technical", 30),
    )
    people = PeopleModel(agents=12, customers=600, languages={"en": 0.8, "de": 0.2})
    campaign = CampaignModel(name="spring", messages=120, messages_a_second=0.5)
    return Simulation.model_validate(
        {
            "queues": queues,
            "people": people,
            "campaigns": (campaign,),
            "calls": CallModel(lines=8),
            **changes,
        }
    )


def day(agents: int = 200, **changes: Any) -> Simulation:
    """200 agents, 40 queues, all channels; about 200,000 events a day."""
    phones = round(agents * 0.65)
    written = agents - phones
    skills = SKILLS[: max(2, min(len(SKILLS), agents // 10))]
    calls = phones * CALLS_AN_AGENT / len(skills)
    queues = [
        _call(
            skill,
            skill,
            calls,
            purpose="sales" if skill == "sales" else "service",
            priority=2 if skill == "business" else 0,
            outbound_a_day=calls / 3 if skill in ("sales", "retention") else 0,
            overflow_to=skills[0] if place % 5 == 2 else "",
            callback_after_seconds=75 if place % 4 == 0 else None,
            timeout_seconds=420 if place % 3 else 240,
        )
        for place, skill in enumerate(skills)
    ]
    half = max(1, len(skills) // 2)
    quarter = max(1, len(skills) // 4)
    queues += [_written(f"chat {s}", "chat", s, written * 34 / half) for s in skills[:half]]
    queues += [_written(f"mail {s}", "email", s, written * 15 / quarter) for s in skills[:quarter]]
    queues += [
        _written(f"social {s}", "social", s, written * 12 / quarter) for s in skills[:quarter]
    ]
    campaigns = (
        CampaignModel(name="spring", messages=agents * 10),
        CampaignModel(name="renewal", medium="sms", at_hour=13, messages=agents * 5),
    )
    settings = {
        "queues": tuple(queues),
        "people": PeopleModel(agents=agents, customers=agents * 60),
        "campaigns": campaigns,
        "calls": CallModel(lines=max(2, round(phones * LINES_AN_AGENT))),
    }
    return Simulation.model_validate(settings | changes)


def large(**changes: Any) -> Simulation:
    """2,000 agents, 40 queues, all channels; about two million events a day."""
    return day(agents=2000, **changes)


PRESETS: Final[dict[str, Callable[..., Simulation]]] = {"small": small, "day": day, "large": large}


def _call(name: str, skill: str, contacts_a_day: float, **more: Any) -> QueueModel:
    return QueueModel(name=name, skill=skill, contacts_a_day=contacts_a_day, **more)


_TALK: Final = {"chat": 420, "email": 240, "social": 100}
_PATIENCE: Final = {"chat": 240}


def _written(name: str, channel: str, skill: str, contacts_a_day: float) -> QueueModel:
    return QueueModel.model_validate(
        {
            "name": name,
            "channel": channel,
            "skill": skill,
            "contacts_a_day": contacts_a_day,
            "talk_seconds": _TALK[channel],
            "patience_seconds": _PATIENCE.get(channel, 3600),
            "wrapup_seconds": 20,
        }
    )
