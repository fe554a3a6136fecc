"""The state with which each partition of a new log begins, out of what the old one's left. Pure.

What is in panes stays in the old log's rows: the new panes begin at zero, and hold only what
changes from now on. What is open goes on, in every new partition, because keys may be spread
differently; a partition that never hears of it lets it go in time.

Clocks are those of the slowest partition. What a further one had let go is named in `let_go_ahead`,
so that it stays late there: a contact that nobody had read is new however far the others were, and
one that was counted counts once.
"""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass

from schemas.rows import VERSION_OFFSET_BITS
from streams.fold.interaction_state import Subject
from streams.fold.let_go import LetGo, subject_key
from streams.fold.panes import empty_pane
from streams.fold.rules import FoldRules
from streams.fold.state import NEVER, SourceClock, State


@dataclass(frozen=True, slots=True)
class Left:
    """What one partition of the old log left: its last state, and the contacts of which it had
    read something, as far as `slowest` and `uncertain` ask for them.
    """

    state: State
    heard: Set[Subject] = frozenset()


def slowest(states: Sequence[State]) -> dict[str, int]:
    """By source, the greatest event time that every partition had seen; `NEVER` where one had not.

    A contact of which a further partition had read nothing after that (less the lateness) is late
    in the new log by these clocks alone: nobody needs to know that it was heard of.
    """
    return {
        name: min(s.sources[name].latest if name in s.sources else NEVER for s in states)
        for name in dict.fromkeys(name for s in states for name in s.sources)
    }


def uncertain(states: Sequence[State], epoch: int) -> list[Subject]:
    """Contacts carried into the old log (of this epoch) that some of its partitions had let go and
    others hold as they came. If one that had let it go had read of it, that is how it ended; if
    not, it was never its partition's.
    """
    holders = Counter(subject for state in states for subject in state.interactions)
    unchanged = set(holders)
    for state in states:
        for subject, interaction in state.interactions.items():
            if interaction.changed >> VERSION_OFFSET_BITS == epoch:
                unchanged.discard(subject)
    return [subject for subject in unchanged if holders[subject] < len(states)]


def merged(left: Sequence[Left], epoch: int, rules: FoldRules) -> State:
    """The state each partition of a new log begins with; empty where there was no log before.

    Where the old log (of this epoch) was itself begun from such a state, its partitions hold copies
    of what only one of them went on with: the copy that changed last is the true one.
    """
    states = [part.state for part in left]
    new = State()
    new.event_time = min((state.event_time for state in states), default=NEVER)
    for name, latest in slowest(states).items():
        heard_at = max(s.sources[name].heard_at for s in states if name in s.sources)
        new.sources[name] = SourceClock(latest, heard_at)
    for state in states:
        for subject, interaction in state.interactions.items():
            held = new.interactions.get(subject)
            if held is None or interaction.changed > held.changed:
                new.interactions[subject] = interaction
        for subject, agent in state.agents.items():
            other = new.agents.get(subject)
            if other is None or agent.changed > other.changed:
                new.agents[subject] = agent
    open_no_more = set(uncertain(states, epoch))
    for part in left:
        let_go = part.heard - part.state.interactions.keys()
        for subject in open_no_more & let_go:
            new.interactions.pop(subject, None)
        _name_let_go(new, part.state, let_go)
    for interaction in new.interactions.values():
        for contribution in interaction.contributions:
            key = contribution.key
            if key not in new.panes:
                new.panes[key] = empty_pane(key, 0, rules)
            contribution.pane = new.panes[key]
            new.panes[key].references += 1
    return new


def _name_let_go(new: State, old: State, let_go: Set[Subject]) -> None:
    """Name in the new state what the old one's partition had let go, or knew to be let go."""
    clocks = {name: clock.latest for name, clock in old.sources.items()}
    keys = {subject_key(tenant, subject) for tenant, subject in let_go}
    for ahead in (LetGo(clocks, keys), *old.let_go_ahead):
        if not ahead.subjects:
            continue
        same = next((f for f in new.let_go_ahead if f.clocks == ahead.clocks), None)
        if same is None:
            new.let_go_ahead.append(LetGo(ahead.clocks, set(ahead.subjects)))
        else:
            same.subjects |= ahead.subjects
