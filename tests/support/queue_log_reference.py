"""A small reader of Asterisk's queue_log for golden values: shares no code with the gateway."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.kpi_rows import Visit


@dataclass(frozen=True)
class Call:
    """One call of a log: its id, its caller's number, the last time it was heard of, its visit."""

    id: str
    caller: str
    last_event_at: int
    visit: Visit


def calls_of(path: Path, queue: str) -> tuple[list[Call], int]:
    """The calls offered to `queue`, and the time of the last line in milliseconds."""
    seen: dict[str, dict[str, int | str]] = {}
    last = 0
    for line in path.read_text().splitlines():
        time_, call_id, of_queue, _, event, *data = line.split("|")
        at = int(time_) * 1000
        last = max(last, at)
        if of_queue != queue:
            continue
        if event == "ENTERQUEUE":
            seen[call_id] = {"entered_at": at, "caller": data[1], "missed_rings": 0}
        call = seen.get(call_id)
        if call is None:
            continue
        call["heard_at"] = at
        match event:
            case "RINGNOANSWER":
                call["missed_rings"] = int(call["missed_rings"]) + 1
            case "CONNECT":
                call |= {"outcome": "answered", "wait": int(data[0]), "ring": int(data[2])}
            case "ABANDON":
                call |= {"outcome": "abandoned", "wait": int(data[2])}
            case "EXITWITHTIMEOUT":
                call |= {"outcome": "timed_out", "wait": int(data[2])}
            case "COMPLETEAGENT" | "COMPLETECALLER":
                call["talk"] = int(data[1])
            case "BLINDTRANSFER" | "ATTENDEDTRANSFER":
                call["talk"] = int(data[-2])
                call["transfer"] = "blind" if event == "BLINDTRANSFER" else "consult"
    return [_call(call_id, facts, queue) for call_id, facts in seen.items()], last


def _call(call_id: str, facts: dict[str, int | str], queue: str) -> Call:
    def milliseconds(name: str) -> int | None:
        return int(facts[name]) * 1000 if name in facts else None

    visit = Visit(
        entered_at=int(facts["entered_at"]),
        outcome=str(facts.get("outcome", "open")),
        wait_ms=milliseconds("wait"),
        talk_ms=milliseconds("talk"),
        ring_ms=milliseconds("ring"),
        missed_rings=int(facts["missed_rings"]),
        transfer=str(facts.get("transfer", "")),
        queue=queue,
    )
    return Call(call_id, str(facts["caller"]), int(facts["heard_at"]), visit)
