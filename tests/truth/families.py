"""The truth of what is counted over surveys, menus, callbacks, self-service, … Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from simulator import outcomes, surroundings
from simulator.customers import known, known_by
from simulator.figures import Figures, Key, ratio
from simulator.run import Run
from simulator.truth import Blocked, Contact, SelfService, Staff

One = TypeVar("One")

Places = dict[tuple[str, ...], dict[Key, Figures]]
"""By split and place, what is known there."""


def family_truth(run: Run) -> Places:
    """By split and place, the KPIs that are known there; customers are who they can be known as."""
    return _joined(_of_contacts(run), _of_events(run), _of_staff(run))


def _by(
    ones: Iterable[One], figures: Callable[[list[One]], Figures], **keys: Callable[[One], Key]
) -> Places:
    """The figures of all of them, and by each key; its name is that of the split."""
    everything = list(ones)
    found: Places = {(): {(): figures(everything)}}
    for names, key in keys.items():
        by_place = {place: figures(group) for place, group in _grouped(everything, key).items()}
        # Of contacts of which nothing is counted the store has no place, either.
        found[tuple(names.split("_and_"))] = {
            place: of_place for place, of_place in by_place.items() if any(of_place.values())
        }
    return found


def _of_contacts(run: Run) -> Places:
    """Surveys, menus, voice quality and blocked calls."""
    truth = run.truth
    who = known(truth)
    came = outcomes.inbound_contacts(truth.contacts, who)

    def of_contacts(contacts: list[Contact]) -> Figures:
        return {
            **outcomes.rating_figures(contacts, who),
            **outcomes.menu_figures(contacts, came, who),
            **outcomes.quality_figures(contacts),
        }

    def of_calls(attempts: list[Contact | Blocked]) -> Figures:
        blocked = [one for one in attempts if isinstance(one, Blocked)]
        calls = [one for one in attempts if isinstance(one, Contact)]
        return surroundings.trunk_figures(calls, blocked, told=bool(truth.blocked))

    calls = [contact for contact in truth.contacts if contact.channel == "call"]
    both: list[Contact | Blocked] = [*calls, *truth.blocked]
    attempts = _by(
        both,
        of_calls,
        direction_and_site=lambda one: (one.direction, one.site),
        hour=lambda one: (_hour(run, one.at if isinstance(one, Blocked) else one.started_at),),
    )
    contacts = _by(
        truth.contacts,
        of_contacts,
        queue_and_channel=lambda c: (_queue(c), c.channel),
        site=lambda c: (c.site,),
        language_and_direction=lambda c: (c.language, c.direction),
        purpose=lambda c: (c.purpose,),
    )
    # What met no queue is no queue's.
    queues = contacts["queue", "channel"]
    contacts["queue", "channel"] = {place: f for place, f in queues.items() if place[0]}
    menus = _by(
        [c for c in truth.contacts if c.menu is not None],
        lambda group: outcomes.menu_figures(group, came, who),
        menu=lambda c: (c.menu.menu if c.menu else "",),
        hour=lambda c: (_hour(run, c.menu.entered_at if c.menu else 0),),
    )
    return _joined(contacts, menus, attempts)


def _of_events(run: Run) -> Places:
    """Callbacks, self-service, campaigns, and customers who leave."""
    truth = run.truth
    who, root = known(truth), known_by(truth)
    came = outcomes.inbound_contacts(truth.contacts, who)
    steps = list(surroundings.callback_steps(truth.contacts))
    offers_are_told = any(step.what == "offered" for step in steps)

    def of_callbacks(taken: list[surroundings.Step]) -> Figures:
        figures = surroundings.callback_figures(taken)
        # Where no offer is ever told of, it is not known that there was none.
        return figures if offers_are_told else figures | {"callback_offered": None}

    def used(group: list[SelfService]) -> Figures:
        return surroundings.selfservice_figures(group, came, lambda one: root(one.shown))

    posted = surroundings.campaign_steps(
        truth.mailings, truth.contacts, who, lambda one: root(one.shown)
    )
    left = [(one.churned_at, "churned") for one in truth.people.values()]
    left += [(one.returned_at, "returned") for one in truth.people.values()]

    def lifecycle(moves: list[tuple[int | None, str]]) -> Figures:
        kinds = [what for _, what in moves]
        return {f"customers_{what}": kinds.count(what) for what in ("churned", "returned")}

    return _joined(
        _by(
            steps,
            of_callbacks,
            queue=lambda step: (step.queue,),
            direction_and_language=lambda step: (step.contact.direction, step.contact.language),
            hour=lambda step: (_hour(run, step.at),),
        ),
        _by(
            truth.selfservice,
            used,
            surface=lambda one: (one.surface,),
            hour=lambda one: (_hour(run, one.at),),
        ),
        _by(
            posted,
            surroundings.campaign_figures,
            campaign_and_medium=lambda step: (step.mailing.campaign, step.mailing.medium),
            hour=lambda step: (_hour(run, step.at),),
        ),
        _by(
            [move for move in left if move[0] is not None],
            lifecycle,
            hour=lambda move: (_hour(run, move[0] or 0),),
        ),
    )


def _of_staff(run: Run) -> Places:
    """Schedules and slots, by agent and by the hour in which they began."""

    def of_staff(staff: list[Staff]) -> Figures:
        return {**outcomes.adherence_figures(staff), **outcomes.slot_occupancy(staff)}

    places = _by(run.truth.staff, of_staff, agent=lambda one: (one.agent,))
    for hour in {_hour(run, at) for one in run.truth.staff for at, _, _ in one.schedule}:
        figures = outcomes.adherence_figures(run.truth.staff, partial(_is_in, run, hour))
        places.setdefault(("hour",), {})[hour,] = figures
    return places


def _joined(*parts: Places) -> Places:
    places: Places = defaultdict(lambda: defaultdict(dict))
    for part in parts:
        for names, of_places in part.items():
            for place, figures in of_places.items():
                places[names][place] |= figures
    return places


def _hour(run: Run, at: int) -> str:
    return f"{run.settings.start_at + timedelta(milliseconds=at):%H}"


def _is_in(run: Run, hour: str, at: int) -> bool:
    return _hour(run, at) == hour


def _queue(contact: Contact) -> str:
    """The queue that answered it last, else the one it entered first."""
    answered = [visit.queue for visit in contact.visits if visit.outcome == "answered"]
    return (answered[-1:] or [visit.queue for visit in contact.visits[:1]] or [""])[0]


def _grouped(ones: Iterable[One], key: Callable[[One], Key]) -> dict[Key, list[One]]:
    groups: dict[Key, list[One]] = defaultdict(list)
    for one in ones:
        groups[key(one)].append(one)
    return groups


def churn_from(run: Run) -> int:
    """An instant before some customers leave, when others are there; in milliseconds."""
    left = [one.churned_at for one in run.truth.people.values() if one.churned_at is not None]
    return min(left) // 10_000 * 10_000 if left else 0


def churn_truth(run: Run) -> Figures:
    """Churn from then on: of the customers who had been seen before, and had not left."""
    truth, since = run.truth, churn_from(run)
    who, root = known(truth), known_by(truth)
    seen: dict[Hashable, int] = {}

    def see(customer: Hashable, at: int) -> None:
        if customer is not None:
            seen[customer] = min(at, seen.get(customer, at))

    for contact in truth.contacts:
        see(who(contact), contact.started_at)
    for use in truth.selfservice:
        see(root(use.shown), use.at)
    for mailing in truth.mailings:
        see(root(mailing.shown), mailing.sent_at)
    moves = []
    for one in truth.people.values():
        for at, step in ((one.churned_at, -1), (one.returned_at, 1)):
            if at is not None:
                see(root(one.identifiers[-1]), at)
                moves.append((at, step))
    active = sum(at < since for at in seen.values())
    active += sum(step for at, step in moves if at < since)
    lost = sum(step == -1 for at, step in moves if at >= since)
    return {"customers_active": active, "churn_ratio": ratio(lost, active)}
