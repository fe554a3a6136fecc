"""What a worker asks its broker beside records: which logs there are, where they end. Blocks."""

from collections.abc import Mapping

from faust.types import TP

from streams.broker_admin import Security
from streams.topic_admin import earliest_offsets, end_offsets, ends_before, topic_logs


class KafkaBroker:
    """The worker's questions to the broker, asked through kafka-python."""

    def __init__(self, bootstrap: str, security: Security) -> None:
        self._bootstrap = bootstrap
        self._security = security

    def logs(self, topics: frozenset[str]) -> Mapping[str, str]:
        """Topic -> identity of its present log."""
        return topic_logs(self._bootstrap, sorted(topics), security=self._security)

    def bounds(self, topics: frozenset[str]) -> Mapping[TP, tuple[int, int]]:
        """Source partition -> (oldest offset kept, offset of the next record, or less)."""
        names = sorted(topics)
        oldest = earliest_offsets(self._bootstrap, names, security=self._security)
        ends = end_offsets(self._bootstrap, names, security=self._security)
        return {TP(*at): (oldest[at], end) for at, end in ends.items()}

    def ends_before(self, tp: TP, offset: int) -> bool:
        """Whether the log ends before `offset`, for certain."""
        return ends_before(self._bootstrap, tp.topic, tp.partition, offset, security=self._security)
