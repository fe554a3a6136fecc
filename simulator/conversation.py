"""What agents and customers do while they have each other on the phone. Pure."""

from collections.abc import Generator
from typing import Any, Final

from simpy import Event

from schemas.events import AgentLeg, HoldEnded, QualityMeasured
from simulator.centre import Centre
from simulator.truth import Contact, Leg

Talking = Generator[Event, Any, None]
CODECS: Final = {"opus": (4.2, 89.0), "G.711": (4.1, 86.0), "G.729": (3.7, 76.0)}
"""Codecs with a typical MOS and R factor."""


def speak(centre: Centre, contact: Contact, leg: Leg, mean_seconds: float) -> Talking:
    """Customer and agent talk, with holds in between; the leg goes on after it."""
    calls, dice = centre.settings.calls, centre.dice_of("work")
    left = dice.around(mean_seconds)
    while dice.chance(calls.hold_share) and left > 2:
        part = dice.between(1, left - 1)
        yield from talk(centre, leg, part)
        left -= part
        yield from hold(centre, contact, leg, dice.around(calls.hold_seconds))
    yield from talk(centre, leg, left)


def talk(centre: Centre, leg: Leg, ms: int) -> Talking:
    """They talk for so long."""
    yield centre.env.timeout(ms)
    leg.talk_ms += ms


def hold(centre: Centre, contact: Contact, leg: Leg, ms: int) -> Talking:
    """The customer is put on hold for so long."""
    centre.say(contact, "hold.started", AgentLeg(agent=leg.agent, queue=leg.queue))
    yield centre.env.timeout(ms)
    off_hold(centre, contact, leg, ms)


def off_hold(centre: Centre, contact: Contact, leg: Leg, ms: int) -> None:
    """The customer is back, after so long on hold."""
    leg.hold_ms += ms
    leg.holds += 1
    ended = HoldEnded(agent=leg.agent, queue=leg.queue, hold_seconds=centre.stated(ms))
    centre.say(contact, "hold.ended", ended)


def finish(centre: Centre, contact: Contact, leg: Leg) -> None:
    """They hang up."""
    dice = centre.dice_of("work")
    leg.ended_at = centre.env.now
    centre.end(
        contact,
        dice.weighted({"customer": 0.55, "agent": 0.44, "system": 0.01}),
        disposition="completed",
        resolved=dice.chance(centre.settings.after.resolved_share),
        agent=leg.agent,
        talk_seconds=centre.stated(leg.talk_ms),
    )


def measure(centre: Centre, contact: Contact, leg: Leg) -> None:
    """The voice quality of a leg, where the switch measures it."""
    dice = centre.dice_of("quality")
    if not dice.chance(centre.settings.calls.quality_share):
        return
    leg.codec = dice.pick(sorted(CODECS))
    mos, r_factor = CODECS[leg.codec]
    worse = dice.random() ** 3
    leg.mos = round(mos - 2 * worse, 2)
    leg.r_factor = round(r_factor - 45 * worse, 1)
    measured = QualityMeasured(
        leg=leg.agent,
        mos=leg.mos,
        r_factor=leg.r_factor,
        codec=leg.codec,
        jitter_seconds=round(0.002 + 0.05 * worse, 4),
        loss_ratio=round(0.08 * worse, 4),
    )
    centre.say(contact, "quality.measured", measured)
