"""Puts what was measured into docs/performance.md, as tables and pictures.

    build/peers/bin/python -m benchmarks.plots

Reads `build/bench.json` and `build/curve`, writes between the marks of docs/performance.md and into
docs/performance/. What was not measured here stays as it is there. Needs matplotlib, which
`make peers` installs.
"""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

CURVE: Final = Path("build") / "curve"
PAGE: Final = Path("docs") / "performance.md"
BENCH: Final = Path("build") / "bench.json"
PICTURES: Final = Path("docs") / "performance"
STAGES: Final = ("fetch", "decode", "fold", "rows", "insert", "checkpoint", "engine")
COLOURS: Final = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#bbbbbb")
MIB: Final = 1 << 20

Told = dict[str, Any]


class Axis(NamedTuple):
    """One thing that grows, and the points along it."""

    name: str
    label: str


COSTS: Final = (
    Axis("events", "events"),
    Axis("queues", "queues"),
    Axis("open", "open contacts"),
    Axis("partitions", "partitions of each topic"),
)


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    if BENCH.exists():
        told = _read(BENCH)
        _write("bench", _bench_table(told))
        _write("peers", _peers_table(told["peers"]))
    for axis in COSTS:
        if points := _points(axis.name):
            _cost_picture(axis, points)
            picture = f"![CPU an event, by {axis.label}](performance/{axis.name}.png)"
            _write(axis.name, [*_cost_table(axis, points), "", picture])
    _write("workers", _workers_table())
    _write("state", _state_table())
    _write("rest", _rest_table())


def _write(mark: str, lines: list[str]) -> None:
    """Replace what the page has between two marks; nothing where nothing was measured."""
    if not lines:
        return
    before, begin, rest = PAGE.read_text().partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- /{mark} -->")
    PAGE.write_text(before + begin + "\n".join(lines) + "\n" + end + after)


def _bench_table(told: Told) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    rows = [
        ["events", f"{told['events']:,}"],
        ["events/s", f"{told['events_per_second']:,.0f}"],
        ["CPU µs/event", f"{told['cpu_us_per_event']:.1f}"],
        *([f"… {stage}", f"{told['stages'][stage]:.1f}"] for stage in STAGES),
        ["peak memory", f"{told['peak_rss_bytes'] / MIB:,.0f} MiB"],
        ["written to disk, an event", f"{told['bytes_written_per_event']:,.0f} bytes"],
        ["machine against the reference", f"{told['slowness']:.2f} times as slow"],
        ["all runs, events/s (machine)", ", ".join(_runs(told))],
        ["machine", f"{told['machine']}; load average {told['load_average']:.0f} at the end"],
        ["versions", versions],
        ["ended", told["at"]],
    ]
    return _table(["", ""], rows)


def _runs(told: Told) -> list[str]:
    pairs = sorted(zip(told["runs"], told["slownesses"], strict=True))
    return [f"{speed:,.0f} ({slow:.2f})" for speed, slow in pairs]


def _peers_table(peers: dict[str, Told]) -> list[str]:
    rows = [
        [
            name,
            f"{peer['cpu_us_per_event']:.1f}",
            f"{peer['ratio']:.2f}",
            f"{peer['events_per_second']:,.0f}",
            "in it" if peer["engine_included"] else "apart",
        ]
        for name, peer in peers.items()
    ]
    return _table(["", "CPU µs/event", "times ours", "events/s", "ClickHouse's own work"], rows)


def _points(name: str) -> dict[int, Told]:
    """By what grows, ascending."""
    found = {int(p.stem.rpartition("-")[2]): _read(p) for p in CURVE.glob(f"{name}-*[0-9].json")}
    return dict(sorted(found.items()))


def _read(path: Path) -> Told:
    told: Told = json.loads(path.read_text())
    return told


def _cost_picture(axis: Axis, told: dict[int, Told]) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    at = range(len(told))
    below = [0.0] * len(told)
    for stage, colour in zip(STAGES, COLOURS, strict=True):
        heights = [point["stages"][stage] for point in told.values()]
        axes.bar(at, heights, bottom=below, label=stage, color=colour, width=0.6)
        below = [a + b for a, b in zip(below, heights, strict=True)]
    axes.set_xticks(at, [f"{n:,}" for n in told])
    axes.set_xlabel(axis.label)
    axes.set_ylabel("CPU µs an event")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False, reverse=True)
    figure.savefig(PICTURES / f"{axis.name}.png", dpi=110)
    plt.close(figure)


def _cost_table(axis: Axis, told: dict[int, Told]) -> list[str]:
    head = [axis.label, "events/s", "CPU µs/event", *STAGES, "peak MiB", "machine", "load"]
    rows = [
        [
            f"{n:,}",
            f"{point['events_per_second']:,.0f}",
            f"{point['cpu_us_per_event']:.1f}",
            *(f"{point['stages'][stage]:.1f}" for stage in STAGES),
            f"{point['peak_rss_bytes'] / MIB:,.0f}",
            f"{point['slowness']:.2f}",
            f"{point['load_average']:.0f}",
        ]
        for n, point in told.items()
    ]
    return _table(head, rows)


def _workers_table() -> list[str]:
    return _table(
        ["workers", "events/s", "CPU µs/event", "cores", "machine", "load"],
        [
            [
                f"{n}",
                f"{point['events_per_second']:,.0f}",
                f"{point['cpu_us_per_event']:.1f}",
                f"{point['cores']}",
                f"{point['slowness']:.2f}",
                f"{point['load_average']:.0f}",
            ]
            for n, point in _points("workers").items()
        ],
    )


def _state_table() -> list[str]:
    return _table(
        [
            *("open contacts", "bytes each", "at rest"),
            *("serialise s", "compress s", "checkpoint MiB", "begin s"),
        ],
        [
            [
                f"{n:,}",
                f"{point['bytes_an_open_contact']:,.0f}",
                f"{point['bytes_at_rest']:,.0f}",
                f"{point['snapshot_seconds']:.2f}",
                f"{point['compress_seconds']:.2f}",
                f"{point['checkpoint_bytes'] / MIB:.1f}",
                f"{point['begin_seconds']:.2f}",
            ]
            for n, point in _points("state").items()
        ],
    )


def _rest_table() -> list[str]:
    files = sorted(CURVE.glob("rest-*.json"))
    rows = [[p.stem.partition("-")[2], f"{_read(p)['rss_bytes'] / MIB:,.0f}"] for p in files]
    return _table(["ClickHouse", "MiB at rest"], rows)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    lines = ["| " + " | ".join(row) + " |" for row in [head, *rows]]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]


if __name__ == "__main__":
    main()
