"""`switchboard simulate`: a contact centre that does not exist, told as events, with its truth."""

import asyncio
import base64
import contextlib
import json
import signal
import time
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.publish import Publisher
from gateway.record import Record
from schemas.settings import Settings
from simulator.faults import GARBAGE
from simulator.presets import PRESETS, day
from simulator.run import Run
from simulator.settings import FaultModel, Simulation
from simulator.telling import Encoded
from streams.broker_admin import Security
from streams.cli.options import (
    BrokerOption,
    ConfigOption,
    DataOption,
    TenantOption,
    err,
    log_to_stderr,
    settings_of,
    settings_with_broker,
)
from streams.cli.values import instant
from streams.garbage import tune_collector

RECORDS_AT_ONCE: Final = 5_000
TICK_SECONDS: Final = 0.2
LISTEN_SECONDS: Final = 0.2
"""How soon a signal is heard while nothing is due."""
LIVE_DAYS: Final = 366


class Preset(StrEnum):
    """A centre of `simulator.presets`."""

    SMALL = "small"
    DAY = "day"
    LARGE = "large"


class OutputFormat(StrEnum):
    """What is written to a file."""

    EVENTS = "events"
    QUEUE_LOG = "queue-log"


class Skewed(StrEnum):
    """One of the centre's systems, `simulator.settings.Source`."""

    PBX = "pbx"
    CHAT = "chat"
    MAIL = "mail"
    SOCIAL = "social"
    DESK = "desk"
    CRM = "crm"


def _share(what: str) -> Any:
    return typer.Option(min=0, max=1, metavar="SHARE", help=what, rich_help_panel="Faults")


def simulate(
    preset: Annotated[
        Preset,
        typer.Argument(help="Which centre: 12 agents, 200 and 40 queues, or 2,000."),
    ] = Preset.SMALL,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    agents: Annotated[
        int | None, typer.Option(min=1, max=20_000, help="So many agents, in a centre like `day`.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days.")] = 1,
    start: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="The first day [default: 2026-03-02; today if live]."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="A centre of your own (TOML) instead of a preset: docs/simulator.md."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file instead of a broker; `-` is stdout.")
    ] = None,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="What to write: events, or a queue_log.")
    ] = OutputFormat.EVENTS,
    truth: Annotated[
        Path | None, typer.Option(help="Write what really happened to this file (JSON lines).")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="So many times faster than time [default: all at once]."),
    ] = None,
    live: Annotated[
        bool, typer.Option(help="Today so far at once, then as time goes by, until stopped.")
    ] = False,
    late: Annotated[float, _share("Events that come up to half an hour late.")] = 0,
    shuffled: Annotated[float, _share("Events out of order by up to 30 seconds.")] = 0,
    repeated: Annotated[float, _share("Events that are sent twice.")] = 0,
    malformed: Annotated[float, _share("Garbage that is sent in addition.")] = 0,
    skewed: Annotated[
        list[Skewed] | None,
        typer.Option(
            help="A source whose clock is a second ahead; several by repeating the option.",
            rich_help_panel="Faults",
        ),
    ] = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
) -> None:
    """Simulate a contact centre: events to a broker or a file, and the truth beside them.

    `switchboard simulate day --seed 7 --output day.jsonl --truth truth.jsonl`

    `switchboard simulate --live --broker 127.0.0.1:PORT`

    A line of the file is `{"topic": …, "key": …, "event": …}`; what cannot be an event stands as
    `bytes` in base64. The truth is computed by the model itself, not from the events.
    """
    log_to_stderr(verbose=False)
    if live and (speed is not None or start is not None):
        raise typer.BadParameter(
            "a live centre has today's date and time's speed", param_hint="--live"
        )
    if output_format is OutputFormat.QUEUE_LOG and output is None:
        raise typer.BadParameter("a queue_log is a file: give --output", param_hint="--format")
    changes = {
        "seed": seed,
        "days": LIVE_DAYS if live else days,
        "faults": FaultModel(
            late_share=late,
            shuffled_share=shuffled,
            repeated_share=repeated,
            malformed_share=malformed,
            skewed_sources=tuple(source.value for source in skewed or ()),
        ),
    }
    if live:
        changes["start_at"] = _today()
    elif start is not None:
        changes["start_at"] = instant(start, "UTC", "--start")
    tune_collector()
    run = Run(_simulation(preset, agents, model, changes))
    pace = _Pace(1.0 if live else speed, run.settings.start_at if live else None)
    closing = _Closing()
    if output is not None:
        lines = _lines(run, output_format, settings_of(config, data, tenant).tenant)
        _write(lines, output, pace, closing)
    else:
        settings = settings_with_broker(broker, config, data, tenant)
        asyncio.run(_publish(run, settings, pace, closing))
    if truth is not None:
        with truth.open("w", encoding="utf-8") as file:
            for document in run.truth.documents():
                file.write(json.dumps(document, ensure_ascii=False) + "\n")


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _simulation(
    preset: Preset, agents: int | None, model: Path | None, changes: dict[str, Any]
) -> Simulation:
    if model is None:
        return PRESETS[preset](**changes) if agents is None else day(agents, **changes)
    try:
        return Simulation.model_validate(tomllib.loads(model.read_text("utf-8")) | changes)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise typer.BadParameter(f"{model}: {error}", param_hint="--model") from error


class _Pace:
    """When an event is due, in the time of this machine. `speed` None: all of them, at once.

    With a `since`, the time at which the simulation began, what should have happened already is due
    at once.
    """

    def __init__(self, speed: float | None, since: datetime | None) -> None:
        self._speed = speed
        self._began = time.time() if since is None else since.timestamp()
        self._first: int | None = None if since is None else 0

    def due_in(self, at_ms: int) -> float:
        """Seconds until an event of that simulated time is due; 0 or less: now."""
        if self._speed is None:
            return 0.0
        if self._first is None:
            self._first = at_ms
        return self._began + (at_ms - self._first) / 1000 / self._speed - time.time()


class _Closing:
    """Whether a signal closed the centre. It is asked between events, so that none is cut off in
    the middle; a second signal ends the program wherever it is.
    """

    def __init__(self) -> None:
        self.told = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._close)

    def _close(self, *_: object) -> None:
        self.told = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def pauses(self, seconds: float) -> Iterator[float]:
        """So many seconds in short pauses, or as many as pass until it is told."""
        end = time.monotonic() + seconds
        while not self.told and (left := end - time.monotonic()) > 0:
            yield min(left, LISTEN_SECONDS)


def _write(lines: Iterable[tuple[int, bytes]], path: Path, pace: _Pace, closing: _Closing) -> None:
    opened: Any = (
        contextlib.nullcontext(typer.get_binary_stream("stdout"))
        if str(path) == "-"
        else path.open("wb")
    )
    with opened as file:
        for due_at, line in lines:
            for pause in closing.pauses(pace.due_in(due_at)):
                file.flush()
                time.sleep(pause)
            if closing.told:
                return
            file.write(line)


def _lines(run: Run, kind: OutputFormat, tenant: str) -> Iterator[tuple[int, bytes]]:
    """Lines of the file, each with when it is due, in milliseconds since the simulation began."""
    if kind is OutputFormat.EVENTS:
        return ((event.due_at, line_of(event)) for event in run.deliveries(tenant))
    began = int(run.settings.start_at.timestamp())
    return (
        ((int(line.partition("|")[0]) - began) * 1000, f"{line}\n".encode())
        for line in run.queue_log()
    )


def line_of(event: Encoded) -> bytes:
    """An event as a line of the file."""
    place = json.dumps({"topic": event.topic, "key": event.subject})[:-1].encode()
    if event.value in GARBAGE:
        garbage = base64.b64encode(event.value).decode()
        return place + f', "bytes": "{garbage}"}}\n'.encode()
    return place + b', "event": ' + event.value + b"}\n"


async def _publish(run: Run, settings: Settings, pace: _Pace, closing: _Closing) -> None:
    security = Security.of(settings.broker)
    columns = SpinnerColumn(), TextColumn("{task.completed} events"), TimeElapsedColumn()
    published = 0
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)
        async with Publisher(settings.broker.url, options=security.producer_options()) as publisher:
            for batch in _batches(run.deliveries(settings.tenant), pace):
                if closing.told:
                    break
                if isinstance(batch, float):
                    for pause in closing.pauses(batch):
                        await asyncio.sleep(pause)
                    continue
                await publisher.publish(_records(batch, run))
                published += len(batch)
                progress.update(task, completed=published)
    err.print(f"{published} events published")


def _batches(events: Iterable[Encoded], pace: _Pace) -> Iterator[list[Encoded] | float]:
    """What is due, in batches, and between them for how many seconds to wait.

    At least a tick: what falls due meanwhile goes together.
    """
    batch: list[Encoded] = []
    for event in events:
        wait = pace.due_in(event.due_at)
        if batch and (wait > 0 or len(batch) >= RECORDS_AT_ONCE):
            yield batch
            batch = []
            wait = pace.due_in(event.due_at)
        if wait > 0:
            yield max(wait, TICK_SECONDS)
        batch.append(event)
    if batch:
        yield batch


def _records(events: Iterable[Encoded], run: Run) -> list[Record]:
    began = int(run.settings.start_at.timestamp())
    return [Record(e.topic, e.subject.encode(), e.value, began + e.due_at // 1000) for e in events]
