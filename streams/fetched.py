"""What aiokafka has fetched, as the transport takes it over: source topics' records as they were
parsed, many at a time. Reaches into aiokafka's fetcher, and touches nothing else.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from typing import Any
from weakref import proxy

from aiokafka.consumer.fetcher import FetchResult
from aiokafka.structs import TopicPartition


class Fetched(OrderedDict[TopicPartition, Any]):
    """What aiokafka has fetched and not handed over, by partition.

    Records of source topics are handed over as its parser made them: putting each into an object of
    its own, with topic, partition and sizes, costs more than reading it. And they are taken from
    its parser without a step of the interpreter for each of those between.
    """

    def __init__(
        self, sources: Callable[[], frozenset[str]], before: Mapping[TopicPartition, Any]
    ) -> None:
        super().__init__()
        self._sources = sources
        for tp, fetched in before.items():
            self[tp] = fetched

    def __setitem__(self, tp: TopicPartition, fetched: Any) -> None:
        if isinstance(fetched, FetchResult) and tp.topic in self._sources():
            fetched._partition_records._consumer_record = _as_parsed
            # By a proxy: in a cycle with its own method it would wait for the collector, and that
            # seldom looks at what was alive as a batch was applied (`streams.garbage`).
            fetched.getall = partial(_taken, proxy(fetched))
        super().__setitem__(tp, fetched)


def _as_parsed(_: TopicPartition, record: Any) -> Any:
    return record


def _taken(fetched: FetchResult, max_records: int | None = None) -> list[Any]:
    """As `FetchResult.getall`: the next records, at most so many, and the position behind them."""
    if not fetched.check_assignment(fetched._topic_partition) or not fetched.has_more():
        return []
    records = list(islice(fetched._partition_records._records_iterator, max_records))
    fetched._update_position()
    if max_records is None or len(records) < max_records:
        fetched._partition_records = None
    return records
