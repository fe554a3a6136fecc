"""Pictures and tables of what `benchmarks.curve` measured.

    build/peers/bin/python -m benchmarks.plots

Reads `build/curve`, writes `docs/performance/*.png` and `build/curve.md`. Needs matplotlib, which
`make peers` installs.
"""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

CURVE: Final = Path("build") / "curve"
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
    lines: list[str] = []
    for axis in COSTS:
        if told := _points(axis.name):
            _cost_picture(axis, told)
            lines += _cost_table(axis, told)
    lines += _workers_table() + _state_table() + _rest_table()
    (CURVE.parent / "curve.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


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
    head = [axis.label, "events/s", "CPU µs/event", *STAGES, "peak MiB", "load"]
    rows = [
        [
            f"{n:,}",
            f"{point['events_per_second']:,.0f}",
            f"{point['cpu_us_per_event']:.1f}",
            *(f"{point['stages'][stage]:.1f}" for stage in STAGES),
            f"{point['peak_rss_bytes'] / MIB:,.0f}",
            f"{point['load_average']:.0f}",
        ]
        for n, point in told.items()
    ]
    return _table(head, rows)


def _workers_table() -> list[str]:
    return _table(
        ["workers", "events/s", "CPU µs/event", "cores", "load"],
        [
            [
                f"{n}",
                f"{point['events_per_second']:,.0f}",
                f"{point['cpu_us_per_event']:.1f}",
                f"{point['cores']}",
                f"{point['load_average']:.0f}",
            ]
            for n, point in _points("workers").items()
        ],
    )


def _state_table() -> list[str]:
    head = ["open contacts", "bytes each", "serialise s", "compress s", "checkpoint MiB", "read s"]
    return _table(
        head,
        [
            [
                f"{n:,}",
                f"{point['bytes_an_open_contact']:,.0f}",
                f"{point['snapshot_seconds']:.2f}",
                f"{point['compress_seconds']:.2f}",
                f"{point['checkpoint_bytes'] / MIB:.1f}",
                f"{point['restore_seconds']:.2f}",
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
    return [lines[0], "|" + "---|" * len(head), *lines[1:], ""]


if __name__ == "__main__":
    main()
