"""Where the fold once differed from the simulated truth (`simulator.truth`): one example each."""

from tests.support.fold import happening, told

ANSWERED = (
    happening(0, "interaction.started"),
    happening(0, "queue.entered", queue="help"),
    happening(5, "agent.connected", agent="ada", queue="help"),
)


def test_a_call_that_came_back_was_not_talked_about_while_it_rang_at_somebody_else() -> None:
    known = told(
        *ANSWERED,
        happening(65, "transfer.started", kind="blind", target="bob", agent="ada"),
        happening(80, "agent.missed", agent="bob", ring_seconds=15.0),
        happening(80, "transfer.completed", kind="recall", target="bob", agent="ada"),
        happening(110, "interaction.ended", by="customer", agent="ada"),
    )
    (leg,) = known.legs
    assert leg.talk_ms == 90_000


def test_a_measured_hold_that_ends_as_the_next_agent_is_connected_counts_once() -> None:
    known = told(
        *ANSWERED,
        happening(60, "hold.started", agent="ada"),
        happening(60, "transfer.started", kind="consult", target="bob", agent="ada"),
        happening(70, "hold.ended", agent="ada", hold_seconds=10.0),
        happening(70, "transfer.completed", kind="consult", target="bob", agent="ada"),
        happening(70, "agent.connected", agent="bob"),
        happening(90, "interaction.ended", by="customer", agent="bob"),
    )
    leg = known.legs[0]
    assert (leg.hold_ms, leg.holds, leg.talk_ms) == (10_000, 1, 55_000)


def test_a_wrapup_that_still_goes_on_when_the_thread_is_back_belongs_to_its_own_leg() -> None:
    """Who writes has several slots: a thread may come back to the agent who still wraps it up."""
    known = told(
        *ANSWERED,
        happening(65, "wrapup.started", agent="ada", queue="help"),
        happening(70, "message.received", author="customer"),
        happening(70, "queue.entered", queue="help"),
        happening(75, "agent.connected", agent="ada", queue="help"),
        happening(80, "wrapup.ended", agent="ada", queue="help"),
        happening(175, "interaction.ended", by="agent", agent="ada"),
        happening(175, "wrapup.started", agent="ada", queue="help"),
        happening(180, "wrapup.ended", agent="ada", queue="help"),
    )
    found = [(leg.talk_ms, leg.wrapup_ms) for leg in known.legs]
    assert found == [(60_000, 15_000), (100_000, 5_000)]
