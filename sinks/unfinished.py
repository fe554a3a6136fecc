"""A run over a finite input that must be whole or not at all, and what takes back half of one.

A one-shot run on an embedded broker that is cut off leaves partials of a log that nobody has any
more; the same input is then read again, into another log, and would be counted beside them. So the
run writes down which logs it makes before it makes rows, and whoever comes next on the same data
directory takes those rows back first. Touches one file and the store it is given.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from schemas.rows import (
    AgentPaneRow,
    CheckpointRow,
    ConversationPaneRow,
    DeadLetterRow,
    KpiPaneRow,
    LateEventRow,
    WatermarkRow,
)
from sinks.store import Store

ADDITIVE: Final = (
    KpiPaneRow,
    AgentPaneRow,
    ConversationPaneRow,
    DeadLetterRow,
    LateEventRow,
    WatermarkRow,
    CheckpointRow,
)
"""Tables in which a log's rows stand beside those of others. In the rest the rows of the run that
reads the input again replace them: its log is a later one, and `topic_logs` keeps their order."""

FILE: Final = "unfinished.json"


class UnfinishedRun:
    """The note of a run that has begun and not ended, in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE

    def begin(self, logs: Mapping[str, str]) -> None:
        """Write down the logs (topic -> log) of a run that begins. Raises `OSError`."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        written = self._file.with_suffix(".new")
        with written.open("w") as note:
            json.dump(dict(logs), note)
            note.flush()
            os.fsync(note.fileno())
        written.replace(self._file)

    def end(self) -> None:
        """The run is whole, or was taken back."""
        self._file.unlink(missing_ok=True)

    def take_back(self, store: Store) -> bool:
        """Delete what an unfinished run left, if there was one; whether there was.

        Raises:
            OSError: the note cannot be read.
            sinks.errors.StoreError: the store did not do it; the note stays, for another try.
        """
        if not self._file.exists():
            return False
        logs = sorted(set(json.loads(self._file.read_text()).values()))
        for row_type in ADDITIVE:
            store.command(
                f"ALTER TABLE {row_type.TABLE} DELETE WHERE has({{logs:Array(String)}}, log)",
                {"logs": logs},
                {"mutations_sync": 2},
            )
        self.end()
        return True
