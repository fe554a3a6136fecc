"""Which contacts of a fold's state are of erased customers. Pure."""

from collections.abc import Mapping

from streams.fold.facts import ENTERED, STARTED
from streams.fold.interaction_state import InteractionState, Subject
from streams.fold.rules import FoldRules


def erased_subjects(
    interactions: Mapping[Subject, InteractionState], rules: FoldRules
) -> list[Subject]:
    """The contacts that are marked themselves, or have shown a marked identifier."""
    found = []
    for subject, state in interactions.items():
        if _is_erased(state.tenant, state.interaction_id, state, rules):
            found.append(subject)
        state.pack()  # looking at one that rests unpacked it
    return found


def _is_erased(tenant: str, contact: str, state: InteractionState, rules: FoldRules) -> bool:
    facts = state.facts.values()
    last_at = max((fact.at for fact in facts), default=state.opened_at)
    if rules.erased.has(tenant, "contact", contact, last_at):
        return True
    shown = [text for fact in facts if fact.kind in (STARTED, ENTERED) for text in fact.detail[-1]]
    return rules.erased.has_any(tenant, rules.identifiers.of(tenant, shown), last_at)
