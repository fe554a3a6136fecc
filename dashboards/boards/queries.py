"""What panels ask: ClickHouse's views by SQL, Prometheus by PromQL. Pure.

Formulas live in the views (`sinks/kpis/views.py`), so SQL here chooses columns of them, restricts
to what the variables say, and computes nothing. Grafana expands `$variables`, its ClickHouse plugin
the `$__macros`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Self

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

METRICS: Final = DataSourceRef(type_val="prometheus", uid="${metrics}")
STORE: Final = DataSourceRef(type_val="grafana-clickhouse-datasource", uid="${store}")

Shape = Literal["timeseries", "table"]
_FORMATS: Final[dict[Shape, int]] = {"timeseries": 0, "table": 1}
"""What the plugin's backend calls the shapes."""


class StoreQuery(Dataquery):
    """A query of the plugin `grafana-clickhouse-datasource`, which the SDK has no type for.

    As `timeseries` the column `time` is the axis, text columns name the series, and every number
    is one; as `table` rows come as they are.
    """

    def __init__(self, sql: str, shape: Shape) -> None:
        self.sql = sql
        self.shape = shape
        self.ref_id = "A"

    def to_json(self) -> dict[str, Any]:
        """As the plugin's editor would save it."""
        return {
            "refId": self.ref_id,
            "datasource": STORE,
            "editorType": "sql",
            "rawSql": self.sql,
            "queryType": self.shape,
            "format": _FORMATS[self.shape],
        }


class StoreTarget(Builder[Dataquery]):
    """Builds a `StoreQuery`, as the SDK wants targets."""

    def __init__(self, sql: str, shape: Shape) -> None:
        self._query = StoreQuery(sql, shape)

    def build(self) -> Dataquery:
        """The query."""
        return self._query

    def ref_id(self, ref_id: str) -> Self:
        """Name the query within its panel."""
        self._query.ref_id = ref_id
        return self


def series(sql: str) -> StoreTarget:
    """SQL whose rows are points over time."""
    return StoreTarget(sql, "timeseries")


def rows(sql: str) -> StoreTarget:
    """SQL whose rows are shown as they are."""
    return StoreTarget(sql, "table")


def metric(expression: str, legend: str) -> prometheus.Dataquery:
    """PromQL over the board's time, its series named by `legend`."""
    query = prometheus.Dataquery().datasource(METRICS).ref_id("A")
    return query.expr(expression).legend_format(legend).range()


def metric_now(expression: str, legend: str) -> prometheus.Dataquery:
    """PromQL at the end of the board's time."""
    query = prometheus.Dataquery().datasource(METRICS).ref_id("A")
    return query.expr(expression).legend_format(legend).instant().format(PromQueryFormat.TABLE)


TENANT: Final = "tenant = ${tenant:sqlstring}"
QUEUES: Final = "$__conditionalAll(queue IN (${queue:sqlstring}), $queue)"
CHANNELS: Final = "$__conditionalAll(channel IN (${channel:sqlstring}), $channel)"
_TIME: Final = "from_at = $__fromTime_ms, to_at = $__toTime_ms"
_COHORT: Final = "cohort = '${cohort}'"

AGENTS: Final = "$__conditionalAll(agent IN (${agent:sqlstring}), $agent)"
Split = Literal[
    "",
    "queue",
    "queue,channel",
    "queue,codec",
    "channel",
    "channel,direction",
    "agent",
    "menu",
    "surface",
    "campaign,medium",
]
"""What rows or series are told apart by; nothing, for the tenant's total."""


def trend(
    view: str,
    columns: Sequence[str],
    *,
    split: Split = "queue",
    where: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
) -> StoreTarget:
    """Columns of an aligned view by interval, from the first whole interval of the board's time."""
    selected = ["interval_start AS time", *_named(split), *columns]
    source = _aligned(view, "${interval}", split, parameters or {})
    kept = ["$__timeFilter(interval_start)", *_kept(split), *where]
    return series(_select(selected, source, kept, "time"))


def whole(
    view: str,
    columns: Sequence[str],
    *,
    split: Split = "queue",
    where: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
) -> StoreTarget:
    """Columns of an aligned view over the board's time as one interval, a row for each of split."""
    names = _named(split)
    source = _aligned(view, "0", split, parameters or {})
    return rows(_select([*names, *columns], source, [*_kept(split), *where], ", ".join(names)))


def rolling(columns: Sequence[str], *, split: Split = "queue") -> StoreTarget:
    """Columns of `kpi_rolling`: trailing windows of half an hour, one a minute or a step."""
    source = (
        f"kpi_rolling({_TIME}, window_seconds = 1800, step_seconds = greatest(60, $__interval_s),"
        f" {_COHORT}, split = '{split}')"
    )
    selected = ["interval_end AS time", *_named(split), *columns]
    return series(_select(selected, source, ["$__timeFilter(interval_end)", *_kept(split)], "time"))


_OWN_COHORT: Final = {"kpi_interval", "service_level"}
"""Views whose contacts can be counted where they were offered, or where they ended."""
_NO_SPLIT: Final = {"agent_interval"}


def _aligned(view: str, interval: str, split: str, parameters: Mapping[str, str]) -> str:
    given = [_TIME, f"interval_seconds = {interval}, timezone = ${{timezone:sqlstring}}"]
    if view in _OWN_COHORT:
        given.append(_COHORT)
    if view not in _NO_SPLIT:
        given.append(f"split = '{split}'")
    given += [f"{name} = {value}" for name, value in parameters.items()]
    return f"{view}({', '.join(given)})"


def _named(split: str) -> list[str]:
    return [name for name in split.split(",") if name]


def _kept(split: str) -> list[str]:
    names = _named(split)
    filters = {"queue": QUEUES, "channel": CHANNELS, "agent": AGENTS}
    return [TENANT, *(filters[name] for name in names if name in filters)]


def _select(columns: Sequence[str], source: str, where: Sequence[str], order: str) -> str:
    ordered = f"\nORDER BY {order}" if order else ""
    return f"SELECT {', '.join(columns)}\nFROM {source}\nWHERE {' AND '.join(where)}{ordered}"
