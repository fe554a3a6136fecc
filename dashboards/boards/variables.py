"""The variables of the boards: data sources, tenant, queue, channel, preset, interval. Pure."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import (
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
    TextBoxVariable,
)
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

from dashboards.boards.queries import METRICS, STORE
from schemas.live import WINDOWS
from sinks.kpis.definitions.service_level import PRESETS

ALL: Final = VariableOption(text="All", value="$__all")
OWN_PRESET: Final = "own"
"""The choice of each queue's own preset."""


def metrics() -> DatasourceVariable:
    """Which Prometheus."""
    chosen = VariableOption(text="Switchboard metrics", value="switchboard-prometheus")
    return DatasourceVariable("metrics").label("Metrics").type("prometheus").current(chosen)


def store() -> DatasourceVariable:
    """Which ClickHouse."""
    chosen = VariableOption(text="Switchboard store", value="switchboard-clickhouse")
    kind = STORE.type_val or ""
    return DatasourceVariable("store").label("Store").type(kind).current(chosen)


def tenant() -> QueryVariable:
    """One tenant, of those with contacts in the board's time."""
    return (
        _of_store("tenant", "Tenant", _distinct("tenant", "$__timeFilter(pane_at)"))
        .multi(False)
        .include_all(False)
        .current(VariableOption(text="default", value="default"))
    )


def queue() -> QueryVariable:
    """Queues of the tenant."""
    return _several("queue", "Queue")


def channel() -> QueryVariable:
    """Channels of the tenant."""
    return _several("channel", "Channel")


def agent() -> QueryVariable:
    """Agents of the tenant with states or contacts in the board's time."""
    sql = (
        "SELECT DISTINCT agent FROM agent_interval(from_at = $__fromTime_ms,"
        " to_at = $__toTime_ms, interval_seconds = 0, timezone = 'UTC')"
        " WHERE tenant = ${tenant:sqlstring}"
    )
    return _of_store("agent", "Agent", sql).multi(True).include_all(True).current(ALL)


def live_tenant() -> QueryVariable:
    """One tenant, of those whose queues are monitored."""
    return (
        _of_metrics("tenant", "Tenant", "label_values(switchboard_queue_waiting, tenant)")
        .multi(False)
        .include_all(False)
        .current(VariableOption(text="default", value="default"))
    )


def live_queue() -> QueryVariable:
    """Queues of the tenant that are monitored."""
    asked = 'label_values(switchboard_queue_waiting{tenant="$tenant"}, queue)'
    found = _of_metrics("queue", "Queue", asked)
    return found.multi(True).include_all(True).all_value(".+").current(ALL)


def preset() -> CustomVariable:
    """By which rule service level is computed."""
    named = [f"{p.title.replace(',', ' ')} : {p.id}" for p in PRESETS]
    return (
        CustomVariable("preset")
        .label("Service level")
        .values(", ".join([f"the queue's own : {OWN_PRESET}", *named]))
        .current(VariableOption(text="the queue's own", value=OWN_PRESET))
    )


def interval() -> CustomVariable:
    """How long an interval is."""
    return (
        CustomVariable("interval")
        .label("Interval")
        .values("5 min : 300, 15 min : 900, 30 min : 1800, 1 h : 3600, 1 d : 86400")
        .current(VariableOption(text="30 min", value="1800"))
    )


def cohort() -> CustomVariable:
    """Into which interval a contact belongs."""
    return (
        CustomVariable("cohort")
        .label("Counted when")
        .values("offered : offered, ended : ended")
        .current(VariableOption(text="offered", value="offered"))
    )


def repeats() -> CustomVariable:
    """Within which time a contact repeats an earlier one."""
    return (
        CustomVariable("repeat_seconds")
        .label("Came again within")
        .values("1 d : 86400, 7 d : 604800, 30 d : 2592000")
        .current(VariableOption(text="1 d", value="86400"))
    )


def same_topic() -> CustomVariable:
    """Whether only contacts of the same topic repeat each other."""
    return (
        CustomVariable("same_topic")
        .label("Topic")
        .values("any : 0, the same : 1")
        .current(VariableOption(text="any", value="0"))
    )


def window() -> CustomVariable:
    """Over which rolling window live ratios are taken."""
    return (
        CustomVariable("window")
        .label("Window")
        .values(", ".join(WINDOWS))
        .current(VariableOption(text="15m", value="15m"))
    )


def breach() -> TextBoxVariable:
    """The breach whose contacts are shown alone; empty: all."""
    return TextBoxVariable("breach").label("Breach").default_value("")


def timezone() -> TextBoxVariable:
    """Whose days and hours intervals are aligned to."""
    return TextBoxVariable("timezone").label("Time zone").default_value("UTC")


def _several(name: str, label: str) -> QueryVariable:
    asked = _distinct(name, "$__timeFilter(pane_at) AND tenant = ${tenant:sqlstring}")
    return _of_store(name, label, asked).multi(True).include_all(True).current(ALL)


def _distinct(column: str, where: str) -> str:
    return f"SELECT DISTINCT {column} FROM kpi_panes_current WHERE {where}"


def _of_store(name: str, label: str, sql: str) -> QueryVariable:
    return _query(name, label).datasource(STORE).query(sql).definition(sql)


def _of_metrics(name: str, label: str, asked: str) -> QueryVariable:
    # As Grafana's own editor saves it: qryType 1 is label_values.
    spoken: dict[str, object] = {"qryType": 1, "query": asked, "refId": "variable"}
    return _query(name, label).datasource(METRICS).query(spoken).definition(asked)


def _query(name: str, label: str) -> QueryVariable:
    refreshed = QueryVariable(name).label(label).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    return refreshed.sort(VariableSort.ALPHABETICAL_ASC)
