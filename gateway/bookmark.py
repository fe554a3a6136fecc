"""Remembers how far a file was published, so that a restart goes on there.

Touches one small JSON file per (path, tenant, source) in the directory it is given. A bookmark that
is lost costs time, not truth: events have the same ids when they are published again.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from xxhash import xxh3_128_hexdigest

from gateway.tail import Position

log = logging.getLogger(__name__)

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class _Stored:
    format: int
    path: str
    tenant: str
    source: str
    logs: dict[str, str]
    position: Position


_STORED: Final = TypeAdapter(_Stored)


class Bookmark:
    """How far `path` was published as `tenant` and `source` to these incarnations of its topics.

    `logs` maps each topic to the identity of its incarnation: in a topic that was made anew nothing
    has been published yet, so a bookmark for its predecessor does not count.
    """

    def __init__(
        self, directory: Path, path: Path, *, tenant: str, source: str, logs: Mapping[str, str]
    ) -> None:
        self._described = path.absolute(), tenant, source
        self._logs = dict(logs)
        key = json.dumps([str(path.absolute()), tenant, source])
        self.file = directory / f"{path.name}-{xxh3_128_hexdigest(key.encode())[:16]}.json"

    def load(self) -> Position | None:
        """Where to go on; None where nothing counts, with the reason logged if that is a surprise.

        Raises:
            OSError: the bookmark exists but cannot be read.
        """
        try:
            stored = _STORED.validate_json(self.file.read_bytes(), strict=True)
        except FileNotFoundError:
            return None
        except ValidationError as error:
            log.warning(
                "%s is damaged and will be replaced; %s is read from its beginning, which repeats "
                "events under the same ids: %s",
                self.file,
                self._described[0],
                error,
            )
            return None
        if stored.format != FORMAT or stored.logs != self._logs:
            log.info("%s is for other topics: %s is read whole", self.file, self._described[0])
            return None
        return stored.position

    def save(self, position: Position) -> None:
        """Replaces the bookmark, durably, in one step. Call it after the broker's acknowledgement.

        Raises:
            OSError: it cannot be written; the one before is still whole.
        """
        path, tenant, source = self._described
        stored = _Stored(FORMAT, str(path), tenant, source, self._logs, position)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        beside = self.file.with_suffix(".new")
        with beside.open("wb") as out:
            out.write(json.dumps(asdict(stored), indent=1).encode())
            out.flush()
            os.fsync(out.fileno())
        beside.replace(self.file)
        directory = os.open(self.file.parent, os.O_RDONLY)
        try:
            os.fsync(directory)  # or the rename itself may not survive a power cut
        finally:
            os.close(directory)
