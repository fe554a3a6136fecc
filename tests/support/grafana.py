"""What Grafana and its ClickHouse plugin make of a query before they send it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

ALL = "$__all"
Chosen = Mapping[str, str | Sequence[str]]
"""Variable -> what is chosen; `$__all` for everything."""


def sql(
    text: str, chosen: Chosen, since: datetime, until: datetime, interval_seconds: int = 60
) -> str:
    """A query of the ClickHouse plugin as it reaches the server."""
    return _macros(_variables(_conditional(text, chosen), chosen), since, until, interval_seconds)


def promql(text: str, chosen: Chosen, rate_interval: str) -> str:
    """A query as it reaches Prometheus."""
    return _variables(text.replace("$__rate_interval", rate_interval), chosen)


def _conditional(text: str, chosen: Chosen) -> str:
    """`$__conditionalAll(condition, $variable)`: nothing is asked where all is chosen."""
    macro = "$__conditionalAll("
    while (start := text.find(macro)) >= 0:
        end, depth = start + len(macro), 1
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        condition, _, variable = text[start + len(macro) : end - 1].rpartition(", $")
        condition = "1=1" if chosen[variable] == ALL else condition
        text = text[:start] + condition + text[end:]
    return text


def _variables(text: str, chosen: Chosen) -> str:
    def value(found: re.Match[str]) -> str:
        name, form = found["name"] or found["plain"], found["form"] or ""
        picked = chosen[name]
        values = [picked] if isinstance(picked, str) else list(picked)
        if form == "sqlstring":
            return ",".join("'" + one.replace("'", "''") + "'" for one in values)
        if form == "regex":
            return values[0] if len(values) == 1 else "(" + "|".join(map(re.escape, values)) + ")"
        return values[0]

    return re.sub(r"\$(?:\{(?P<name>\w+)(?::(?P<form>\w+))?\}|(?P<plain>(?!__)\w+))", value, text)


def _macros(text: str, since: datetime, until: datetime, interval_seconds: int) -> str:
    bounds = [round(at.timestamp() * 1000) for at in (since, until)]
    seconds = [at // 1000 for at in bounds]
    for name, at in zip(("fromTime_ms", "toTime_ms"), bounds, strict=True):
        text = text.replace(f"$__{name}", f"fromUnixTimestamp64Milli({at})")
    text = re.sub(
        r"\$__timeFilter\((\w+)\)",
        rf"\1 >= toDateTime({seconds[0]}) AND \1 <= toDateTime({seconds[1]})",
        text,
    )
    text = text.replace("$__interval_s", str(interval_seconds))
    left = re.search(r"\$__\w+", text)
    if left:
        raise ValueError(f"{left[0]} is not a macro of the plugin that is known here")
    return text
