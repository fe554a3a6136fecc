"""A store that does not change, whose answers are each asked for once. Reads it, nothing else."""

from typing import Any

from sinks.kpis.query import Queries


class AskedOnce:
    """Most splits are looked at from several sides, and to plan a view takes ClickHouse longer than
    to read a day.
    """

    def __init__(self, store: Queries) -> None:
        self._store = store
        self._answers: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def query(self, sql: str, parameters: dict[str, Any] | None = None, /) -> list[dict[str, Any]]:
        """As a store answers."""
        used = {k: v for k, v in (parameters or {}).items() if f"{{{k}:" in sql}
        asked = sql, repr(sorted(used.items()))
        if asked not in self._answers:
            self._answers[asked] = self._store.query(sql, used)
        return self._answers[asked]
