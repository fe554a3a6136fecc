"""The mutations: what would be wrong, how the source is changed, and which tests must go red."""

from dataclasses import dataclass
from typing import Final

LAWS: Final = ("tests/streams/fold/test_path_independence.py",)
ORDER: Final = ("tests/streams/fold/test_order_independence.py",)
FOLD: Final = "streams/fold/"


@dataclass(frozen=True)
class Mutation:
    """One way to break the design: in `file`, `before` (there once) becomes `after`."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]


MUTATIONS: Final = (
    Mutation(
        "a checkpoint is stored before the rows that it vouches for",
        "sinks/writer.py",
        "        for row_type in ROWS:\n",
        "        for checkpoint in block.get(CheckpointRow, ()):\n"
        "            self._insert_whole(CheckpointRow, [checkpoint], report)\n"
        "        for row_type in ROWS:\n",
        ("tests/sinks/test_writer.py",),
    ),
    Mutation(
        "a row's version is the wall clock",
        FOLD + "partition.py",
        "return self._version_base + self.state.next_offset",
        "return self._version_base + __import__('time').monotonic_ns() // 1000",
        LAWS,
    ),
    Mutation(
        "records that were applied already are applied again",
        FOLD + "partition.py",
        "offset < state.next_offset:\n                    continue\n",
        "offset < state.next_offset:\n                    state.next_offset = offset\n",
        LAWS,
    ),
    Mutation(
        "the log is not in the key of panes",
        "schemas/rows.py",
        '        "cohort",\n        "pane_at",\n        "log",\n',
        '        "cohort",\n        "pane_at",\n',
        ("tests/streams/fold/test_merge.py",),
    ),
    Mutation(
        "an old contribution is not taken back",
        FOLD + "ledger.py",
        "pane.add(contribution, -1)",
        "pane.add(contribution, 0)",
        ORDER,
    ),
    Mutation(
        "an event delivered twice counts twice",
        FOLD + "partition.py",
        "        key = key_of(heard.source, heard.id)\n        if state is None:",
        "        key = heard.offset\n        if state is None:",
        ORDER,
    ),
    Mutation(
        "what is let go depends on when rows were drained",
        FOLD + "partition.py",
        "(due := self._clocks.advance(heard.source, heard.at)) is not None:",
        "(due := self._clocks.advance(heard.source, heard.at)) is not None and not self._changed:",
        LAWS,
    ),
    Mutation(
        "panes that begin anew replace those that were let go",
        FOLD + "ledger.py",
        "empty_pane(key, offset, self._rules)",
        "empty_pane(key, 0, self._rules)",
        LAWS,
    ),
    Mutation(
        "an interaction that is let go takes its unwritten row with it",
        FOLD + "partition.py",
        "            if known is not None:\n"
        "                self._write_interaction(interaction, known)\n",
        "",
        LAWS,
    ),
    Mutation(
        "a pane that is let go takes its unwritten row with it",
        FOLD + "ledger.py",
        "                unwritten.append(pane)\n",
        "                pass\n",
        LAWS,
    ),
    Mutation(
        "panes keep counting interactions that were let go",
        FOLD + "partition.py",
        "gone(interaction.subject)\n            self._panes.release(interaction.let_go())\n",
        "gone(interaction.subject)\n            interaction.let_go()\n",
        LAWS,
    ),
    Mutation(
        "one that has ended stays listed until it would have been given up",
        FOLD + "clocks.py",
        "self._list(interaction, min(interaction.due, soonest))",
        "self._list(interaction, interaction.due)",
        ("tests/streams/fold/test_clocks.py",),
    ),
    Mutation(
        "one that ends after it was put off goes when it would have been looked at",
        FOLD + "clocks.py",
        "        if interaction.put_off:\n",
        "        if False:\n",
        ("tests/streams/fold/test_clocks.py",),
    ),
    Mutation(
        "the clocks of sources are not saved",
        FOLD + "state.py",
        "        state.sources[source] = SourceClock(latest, heard_at)\n",
        "        pass\n",
        LAWS,
    ),
    Mutation(
        "a late event of an unknown interaction counts",
        FOLD + "partition.py",
        "            if state is None:\n                return True\n",
        "",
        LAWS,
    ),
    Mutation(
        "one source's clock makes the others late",
        FOLD + "clocks.py",
        "return NEVER if clock is None else clock.latest - self._lateness_ms",
        "return max(NEVER, self._state.event_time - self._lateness_ms)",
        ("tests/streams/fold/test_partition_time.py",),
    ),
    Mutation(
        "every identifier leads to the customer's interaction",
        FOLD + "output.py",
        "int(identifier != best)",
        "0",
        ("tests/streams/fold/test_partition.py",),
    ),
    Mutation(
        "an agent's settled time is contributed again",
        FOLD + "agents.py",
        "        return [], come\n",
        "        return [], self.stretches\n",
        ORDER,
    ),
    Mutation(
        "an exit is matched to a visit that begins after it",
        FOLD + "legs.py",
        "return visit.entered_at <= at + CLOCKS_APART_MS",
        "return True",
        ("tests/streams/fold/test_interaction.py",),
    ),
    Mutation(
        "a carried interaction is counted anew in the new log",
        FOLD + "merge.py",
        "            new.panes[key].references += 1",
        "            new.panes[key].references += 1\n        interaction.contributions = ()",
        ("tests/streams/fold/test_merge.py",),
    ),
    Mutation(
        "a new log begins as far as the furthest partition of the old one",
        FOLD + "merge.py",
        "name: min(s.sources",
        "name: max(s.sources",
        ("tests/streams/fold/test_merge.py",),
    ),
    Mutation(
        "what the old log let go ahead of others may count again",
        FOLD + "merge.py",
        "        _name_let_go(new, part.state, let_go)",
        "        pass",
        ("tests/streams/fold/test_merge.py",),
    ),
    Mutation(
        "a block is stored whatever log its records are of",
        "streams/takeover.py",
        "return bool(changed)",
        "return False",
        ("tests/streams/test_flight.py",),
    ),
    Mutation(
        "chunks from before a recovery are applied",
        "streams/worker.py",
        "if chunk.seek <= held.read_since:",
        "if False:",
        ("tests/streams/test_worker.py",),
    ),
    Mutation(
        "of an event told twice the last telling stays",
        FOLD + "partition.py",
        "LAST_OFFSET - heard.offset",
        "heard.offset",
        ("tests/streams/fold/test_partition.py",),
    ),
    Mutation(
        "a row that does not fit its columns is forgotten",
        "schemas/native.py",
        "            self.unfit.append(row)",
        "            pass",
        ("tests/sinks/test_writer.py",),
    ),
    Mutation(
        "a source is said to be read before stage 2 was told what was read",
        "streams/telling.py",
        "return Told(took, read if heard else {})",
        "return Told(took, read)",
        ("tests/streams/test_worker_current.py",),
    ),
    Mutation(
        "what stage 2 is to know lies in a block, and its source is said to be read",
        "streams/present.py",
        "not isinstance(held.fold, PartitionFold) or held.untold",
        "not isinstance(held.fold, PartitionFold)",
        ("tests/streams/test_worker_current.py",),
    ),
    Mutation(
        "a block takes a state that was not serialised ahead",
        "streams/rounds.py",
        "return everything or left <= LITTLE or",
        "return True or everything or left <= LITTLE or",
        ("tests/streams/test_rounds.py",),
    ),
)
