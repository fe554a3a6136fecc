"""What simulated days do not show: unknown contacts, other scales, one customer twice, edges."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from schemas.fact_rows import AgentStateRow, EventFactRow
from schemas.identity_rows import IdentityMapRow
from schemas.rows import InteractionRow
from sinks.kpis.catalogue import FAMILIES, KPIS
from sinks.kpis.contacts import contacts_behind
from sinks.kpis.intervals import KpiQueryError
from sinks.kpis.query import kpi_table
from sinks.kpis.rolling import rolling_table
from sinks.store import Store
from tests.sinks.kpis.conftest import Load
from tests.support.kpi_rows import Visit, interaction_row
from tests.support.rows import row

NOON: Final = 1_700_049_600_000
HOUR: Final = 3_600_000
_tenants = itertools.count()
_events = itertools.count()


class Told:
    """What is told of one tenant of its own, stored as it is told."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.tenant = f"family-{next(_tenants)}"

    def contact(
        self, name: str, at: int = 0, customer: str = "", outcome: str = "answered"
    ) -> None:
        taken: dict[str, Any] = {"talk_ms": 0, "agent": "ada"} if outcome == "answered" else {}
        visit = Visit(NOON + at, outcome, wait_ms=0, **taken)
        rows = [interaction_row(self.tenant, name, [visit], customer=customer)]
        self._store.insert(InteractionRow, rows)

    def fact(
        self, event_type: str, subject: str, at: int = 0, /, customer: str = "", **said: Any
    ) -> None:
        numbers = {n: float(v) for n, v in said.items() if not isinstance(v, str)}
        labels = {n: v for n, v in said.items() if isinstance(v, str)}
        told = {"occurred_at": NOON + at, "counted_at": NOON + at, "customer_key": customer}
        self._store.insert(
            EventFactRow,
            [
                row(
                    EventFactRow,
                    tenant=self.tenant,
                    type=event_type,
                    subject=subject,
                    event_id=str(next(_events)),
                    labels=labels,
                    numbers=numbers,
                    **told,
                )
            ],
        )

    def state(self, at: int, state: str, **more: Any) -> None:
        told = {"occurred_at": NOON + at, "counted_at": NOON + at, "state": state, **more}
        event_id = str(next(_events))
        rows = [row(AgentStateRow, tenant=self.tenant, agent="ada", event_id=event_id, **told)]
        self._store.insert(AgentStateRow, rows)

    def values(self, **asked: Any) -> dict[str, Any]:
        (total,) = kpi_table(self._store, self.tenant, split=(), families=FAMILIES, **asked)
        return total.values


@pytest.fixture
def told(kpi_store: Store) -> Told:
    return Told(kpi_store)


def test_scores_are_brought_to_one_scale(told: Told) -> None:
    told.contact("c")
    for score, scale in ((4, 5), (80, 100), (7, 10), (1, 5)):
        told.fact("survey.submitted", "c", kind="csat", score=score, scale_max=scale)
    values = told.values()
    assert (values["csat_ratings"], values["csat_satisfied"]) == (4, 2)
    assert values["csat_mean"] == (4 + 4 + 3.5 + 1) / 4
    assert values["csat_response_ratio"] == 4


def test_a_survey_of_a_contact_that_nobody_knows_counts_when_it_came(told: Told) -> None:
    told.fact("survey.submitted", "gone", 2 * HOUR, kind="ces", score=7, scale_max=7)
    at = datetime.fromtimestamp(NOON / 1000, UTC) + timedelta(hours=2)
    assert told.values(from_=at)["ces_mean"] == 7


def test_of_two_keys_of_one_customer_the_last_answer_counts(told: Told, kpi_store: Store) -> None:
    told.contact("a", customer="phone")
    told.contact("b", HOUR, customer="mail")
    told.contact("c", HOUR)
    told.fact("survey.submitted", "a", 3 * HOUR, kind="nps", score=2, scale_max=10)
    told.fact("survey.submitted", "b", 2 * HOUR, kind="nps", score=10, scale_max=10)
    told.fact("survey.submitted", "c", 2 * HOUR, kind="nps", score=9, scale_max=10)
    assert told.values()["nps_ratio"] == pytest.approx(1 / 3)
    kpi_store.insert(IdentityMapRow, [(told.tenant, "phone", "mail", 1, 0)])
    values = told.values()
    assert (values["nps_customers"], values["nps_promoters"], values["nps_detractors"]) == (2, 1, 1)


@pytest.mark.parametrize(("again_at", "deflected"), [(24 * HOUR, 0), (24 * HOUR + 1, 1), (0, 1)])
def test_a_day_is_a_day(told: Told, again_at: int, deflected: int) -> None:
    told.fact("selfservice.used", "email:a@b.org", customer="a", surface="faq", outcome="left")
    told.contact("c", again_at, customer="a", outcome="abandoned")
    assert told.values()["selfservice_deflected"] == deflected


def test_a_menu_that_tells_only_how_it_ended_was_entered(told: Told) -> None:
    told.fact("ivr.exited", "c", outcome="contained", goal=1)
    values = told.values()
    assert (values["menu_entered"], values["menu_truly_contained"]) == (1, 1)


def test_a_pause_is_kept_where_one_was_scheduled(told: Told) -> None:
    second = NOON / 1000
    plan: dict[str, Any] = {"activity": "lunch", "from": second, "to": second + 3600}
    told.fact("agent.scheduled", "ada", **plan)
    told.fact("agent.scheduled", "ada", **plan)  # told twice
    told.state(-HOUR, "available")
    told.state(HOUR // 4, "paused")
    told.state(HOUR // 2, "paused", queue="support")
    told.state(2 * HOUR, "offline")
    values = told.values()
    assert (values["scheduled_seconds"], values["adhered_seconds"]) == (3600, 2700)


def test_schedules_and_states_over_midnight_count_once(told: Told) -> None:
    second = NOON / 1000
    plan: dict[str, Any] = {"activity": "work", "from": second, "to": second + 86400}
    told.fact("agent.scheduled", "ada", **plan)
    told.state(-HOUR, "available")
    told.state(20 * HOUR, "offline")
    assert told.values()["adhered_seconds"] == 20 * 3600


def test_a_wait_is_estimated_by_the_agents_of_its_queue_and_what_contacts_took(
    told: Told, kpi_store: Store
) -> None:
    minute = HOUR // 60
    told.state(-HOUR, "available", queue="IT")
    told.state(-HOUR, "available", queue="sales")
    told.state(-50 * minute, "on_contact")
    told.state(10 * minute, "available")
    told.state(20 * minute, "paused", queue="sales")
    told.state(30 * minute, "paused", queue="IT")
    told.state(40 * minute, "paused")
    told.state(50 * minute, "available", queue="IT")
    told.state(80 * minute, "offline")
    told.state(85 * minute, "available")  # for which queues nobody says any more
    waits = {
        "handled": Visit(
            NOON - 40 * minute, "answered", wait_ms=0, talk_ms=90_000, wrapup_ms=30_000
        ),
        "nothing waits": Visit(NOON, "answered", wait_ms=100_000, talk_ms=0),
        "one waits": Visit(NOON + 1, "answered", wait_ms=210_000, talk_ms=0),
        "gives up": Visit(NOON + 2, "abandoned", wait_ms=1_000),
        "one is free": Visit(NOON + 15 * minute, "answered", wait_ms=30_000, talk_ms=0),
        "she pauses here": Visit(NOON + 35 * minute, "answered", wait_ms=5_000, talk_ms=0),
        "she pauses": Visit(NOON + 45 * minute, "answered", wait_ms=5_000, talk_ms=0),
        "she is back": Visit(NOON + 55 * minute, "answered", wait_ms=31_000, talk_ms=0),
        "she was gone": Visit(NOON + 90 * minute, "answered", wait_ms=5_000, talk_ms=0),
    }
    rows = [interaction_row(told.tenant, name, [visit]) for name, visit in waits.items()]
    kpi_store.insert(InteractionRow, rows)
    estimated = {"nothing waits": 120, "one waits": 240, "gives up": 360}
    values = told.values()
    assert values["estimated_wait_seconds"] == (120 + 240 + 360 + 0 + 0) / 5
    assert values["estimated_wait_scored"] == 4
    assert values["estimated_wait_error_seconds"] == (20 + 30 + 30 + 31) / 4
    assert values["estimated_wait_bias_seconds"] == (20 + 30 - 30 - 31) / 4
    assert values["estimated_wait_within_30_seconds_ratio"] == 3 / 4
    behind = contacts_behind(kpi_store, told.tenant, "estimated_wait_seconds")
    by_name = {b.interaction_id: b.adds.get("estimates_ms", 0) // 1000 for b in behind}
    assert by_name == estimated | {"one is free": 0, "she is back": 0}


def test_quality_is_as_it_was_given(told: Told) -> None:
    told.fact("quality.measured", "c", leg="1", codec="opus", mos=4.88, r_factor=92.4)
    told.fact("quality.measured", "c", 1, leg="1", codec="opus", mos=2.0)
    told.fact("quality.measured", "c", leg="2", codec="opus", mos=4.0)
    values = told.values()
    assert (values["quality_legs"], values["mos_min"], values["r_factor_mean"]) == (2, 2.0, 92.4)
    assert values["mos_mean"] == pytest.approx((3.44 + 4.0) / 2)


def test_what_nobody_tells_of_is_null_and_not_0(told: Told) -> None:
    told.contact("c")
    values = told.values()
    for name in ("blocked_ratio", "callback_offered", "churn_ratio", "adherence_ratio", "mos_min"):
        assert values[name] is None, name
    assert values["campaign_sent"] == 0


def test_blocked_calls_and_offers_are_known_once_they_are_told(
    told: Told, kpi_store: Store
) -> None:
    told.contact("c")
    told.fact("callback.requested", "c")
    assert told.values()["callback_accepted_ratio"] is None
    told.fact("call.blocked", "attempt-1", -HOUR, direction="inbound", trunk="carrier")
    told.fact("callback.offered", "c", queue="IT")
    told.fact("callback.offered", "d", queue="IT")
    values = told.values()
    assert (values["calls_attempted"], values["calls_blocked"]) == (2, 1)
    assert (values["blocked_ratio"], values["callback_accepted_ratio"]) == (1 / 2, 1 / 2)
    later = told.values(from_=datetime.fromtimestamp(NOON / 1000, UTC))
    assert (later["calls_blocked"], later["blocked_ratio"]) == (0, 0)
    behind = contacts_behind(kpi_store, told.tenant, "calls_blocked")
    assert [b.interaction_id for b in behind] == ["attempt-1"]


def test_the_contacts_behind_a_figure(told: Told, kpi_store: Store) -> None:
    told.contact("lost", outcome="abandoned")
    told.contact("taken", 1_000)
    behind = contacts_behind(kpi_store, told.tenant, "abandonment_ratio")
    assert [(b.interaction_id, b.adds) for b in behind] == [
        ("lost", {"abandoned": 1}),
        ("taken", {"answered": 1}),
    ]
    at = datetime.fromtimestamp(NOON / 1000, UTC)
    later = contacts_behind(kpi_store, told.tenant, "abandoned", at + timedelta(seconds=1))
    assert later == []
    only = contacts_behind(kpi_store, told.tenant, "answered", only={"queue": "nowhere"})
    assert only == []
    repeats = contacts_behind(kpi_store, told.tenant, "repeat_contacts")
    assert repeats == []
    told.contact("again", 2_000, customer="a", outcome="abandoned")
    told.contact("and again", 3_000, customer="a", outcome="abandoned")
    repeats = contacts_behind(kpi_store, told.tenant, "repeat_contacts", only={"queue": "IT"})
    assert [b.interaction_id for b in repeats] == ["and again"]
    with pytest.raises(KpiQueryError, match="agent_answered"):
        contacts_behind(kpi_store, told.tenant, "agent_answered")


def test_every_kpi_of_a_family_is_asked_of_its_view(told: Told) -> None:
    told.contact("c")
    assert {k.id for k in KPIS.values() if k.grain in FAMILIES} <= told.values().keys()


def test_a_window_ends_at_every_step_and_holds_what_counted_in_it(
    told: Told, kpi_store: Store
) -> None:
    told.fact("selfservice.used", "email:a@b.org", 0, surface="faq", outcome="solved")
    told.fact("selfservice.used", "email:a@b.org", HOUR // 2, surface="faq", outcome="left")
    ends = rolling_table(kpi_store, told.tenant, "1h", "30m", split=(), families=FAMILIES)
    noon = datetime.fromtimestamp(NOON / 1000, UTC)
    assert [((r.interval_end or noon) - noon, r.values["selfservice_used"]) for r in ends] == [
        (timedelta(minutes=30), 1),
        (timedelta(hours=1), 2),
        (timedelta(minutes=90), 1),
    ]
    with pytest.raises(KpiQueryError, match="split by hour"):
        rolling_table(kpi_store, told.tenant, "1h", "30m", split=("hour",))


def test_a_window_of_queues_is_read_from_panes(load: Load, kpi_store: Store) -> None:
    tenant = load([Visit(NOON + n * HOUR // 4, "abandoned", wait_ms=1_000) for n in range(3)])
    ends = rolling_table(kpi_store, tenant, "30m", "15m", only={"queue": "IT"})
    assert [r.values["abandoned"] for r in ends] == [1, 2, 2, 1]
