"""Views of what is now, and of breaches: seconds instead of milliseconds, for people. Pure."""


def queues_now() -> str:
    """One row a queue: who waits, who works, and its service level in each window by name.

    The queue `''` counts every agent of the tenant once. Values mean something where `current`.
    """
    windows = ", ".join(
        f"CAST((windows, {column}), 'Map(String, Nullable(Float64))') AS {name}"
        for column, name in (
            ("service_level", "service_level_ratio"),
            ("abandonment", "abandonment_ratio"),
            ("offered", "offered_in"),
        )
    )
    return f"""
SELECT tenant, queue, at, current, waiting, oldest_enqueued_at, active, presumed_lost,
  agents_available, agents_on_contact, agents_wrapup, agents_paused, agents_offline, agents_needed,
  target_ms / 1000 AS target_seconds, target_ratio, service_level_preset,
  estimated_wait_ms / 1000 AS estimated_wait_seconds,
  forecast_5m, forecast_15m, forecast_30m,
  {windows}
FROM queue_live FINAL"""


def breaches() -> str:
    """One row a breach, from opened to closed.

    `around_from` and `around_to` are the time in which the contacts behind it are found, as Unix
    time in milliseconds: from an hour before it opened.
    """
    return """
SELECT tenant, queue, kpi, severity, window, opened_at, worsened_at, closed_at, closed_because,
  value, worst_value, threshold, breach_id, length(interactions) AS contacts,
  toUnixTimestamp64Milli(opened_at) - 3600000 AS around_from,
  toUnixTimestamp64Milli(ifNull(closed_at, opened_at)) + 3600000 AS around_to
FROM queue_breaches FINAL"""


def breach_contacts() -> str:
    """The contacts that caused a breach, one row each."""
    return """
SELECT tenant, queue, breach_id, opened_at, arrayJoin(interactions) AS interaction_id
FROM queue_breaches FINAL"""
