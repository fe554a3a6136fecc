"""`switchboard dead-letters`: what could not be read or stored, and publishing it again."""

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from schemas.settings import Settings
from sinks.dead_letters import (
    DeadLetter,
    Original,
    Selection,
    find_dead_letters,
    originals,
    reason_counts,
    stored_events,
)
from sinks.store import Store
from streams.cli.options import (
    BrokerOption,
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    NothingFound,
    err,
    log_to_stderr,
    out,
    settings_of,
    settings_with_broker,
)
from streams.cli.reading import store_to_read
from streams.cli.values import instant, iso, local

if TYPE_CHECKING:
    from streams.replay import ReplayReport

app = typer.Typer(
    no_args_is_help=True,
    help="Records that could not be read or stored: list, look at, publish again.",
)

SHOWN_CHARACTERS: Final = 4_000
"""How much of a value `show` prints to a person."""

ReasonOption = Annotated[
    str, typer.Option("--reason", help="Only those refused for this, such as `unknown_type`.")
]
TopicOption = Annotated[str, typer.Option("--topic", help="Only those of this topic.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only those produced, or last replayed, since."),
]


@app.command("list")
def list_letters(
    reason: ReasonOption = "",
    topic: TopicOption = "",
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the last first.")] = 50,
    config: ConfigOption = None,
    data: DataOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List dead letters, the last first: where each lay, and what is wrong with it.

    `switchboard dead-letters list --reason unknown_type --since 2026-03-01`

    A record whose replay was refused again is one line, with the last verdict and the number of
    such replays.
    """
    log_to_stderr(verbose=False)
    settings = settings_of(config, data)
    selection = _selection(settings, topic, reason, since)
    with store_to_read(settings) as store:
        letters = find_dead_letters(store, selection, limit=limit + 1)
        counts = reason_counts(store)
    more = len(letters) > limit
    letters = letters[:limit]
    if output is Format.JSON:
        out.print_json(json.dumps([_shape(letter) for letter in letters]))
        return
    if not letters:
        out.print(_none_such(counts))
        return
    out.print(_table(letters, settings.queue("").timezone))
    if more:
        out.print("There are more: raise --limit, or choose by --reason, --topic, --since.")


@app.command("show")
def show(
    topic: Annotated[str, typer.Argument(help="Topic that the record lay on.")],
    partition: Annotated[int, typer.Argument(min=0, help="Its partition.")],
    offset: Annotated[int, typer.Argument(min=0, help="Its offset, or that of a replay of it.")],
    config: ConfigOption = None,
    data: DataOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show a dead letter: what is wrong with it, its headers and its bytes as they came.

    `switchboard dead-letters show events.call 3 1042`

    Also tells whether this program would read it now. Where the topic was made anew, the offset may
    have been given twice: each is shown. `--format json` prints bytes that are no text in base64.
    """
    log_to_stderr(verbose=False)
    settings = settings_of(config, data)
    with store_to_read(settings) as store:
        letters = find_dead_letters(store, Selection(topic, lies_at=(partition, offset)))
        pairs = [pair for part in originals(store, letters) for pair in part]
        verdicts = [_verdict_now(store, letter, original) for letter, original in pairs]
    if not pairs:
        raise NothingFound(
            f"there is no dead letter of {topic} {partition} {offset};"
            " `switchboard dead-letters list` shows which there are"
        )
    if output is Format.JSON:
        shapes = [
            {**_shape(letter), "now": now, **_content(original)}
            for (letter, original), now in zip(pairs, verdicts, strict=True)
        ]
        out.print_json(json.dumps(shapes))
        return
    for (letter, original), now in zip(pairs, verdicts, strict=True):
        _print(letter, original, now, settings.queue("").timezone)


@app.command("replay")
def replay_letters(
    reason: ReasonOption = "",
    topic: TopicOption = "",
    since: SinceOption = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Also publish what this program still refuses, and what a replay was refused for.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Publish nothing; tell what would be.")
    ] = False,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Publish dead letters again, as they came, on the topics they were on.

    `switchboard dead-letters replay --reason unknown_type --dry-run`

    For when what was wrong is mended, such as by a version that knows the type. Doing it twice
    changes nothing: what is stored already is left out, and would replace itself. What is refused
    again becomes a new dead letter, and is not replayed a second time without --again.
    """
    log_to_stderr(verbose=False)
    settings = settings_with_broker(broker, config, data)
    selection = _selection(settings, topic, reason, since)
    with store_to_read(settings) as store:
        letters = find_dead_letters(store, selection)
        counts = reason_counts(store)
    if not letters and output is Format.TABLE:
        out.print(_none_such(counts))
        return
    with store_to_read(settings) as store:
        # Oldest first: an interaction's records keep their order.
        oldest_first = sorted(letters, key=lambda found: (found.produced_at, found.place))
        report = asyncio.run(_replay(settings, store, oldest_first, again=again, dry_run=dry_run))
    if output is Format.JSON:
        out.print_json(json.dumps({**asdict(report), "dry_run": dry_run}))
    else:
        _print_report(report, dry_run=dry_run)


async def _replay(
    settings: Settings, store: Store, letters: Sequence[DeadLetter], *, again: bool, dry_run: bool
) -> "ReplayReport":
    from gateway.publish import Publisher
    from streams.broker_admin import Security
    from streams.replay import replay
    from streams.topic_admin import topic_logs

    if dry_run:
        return await replay(store, letters, None, {}, again=again)
    security = Security.of(settings.broker)
    topics = sorted({letter.place.topic for letter in letters if letter.is_record})
    logs = topic_logs(settings.broker.url, topics, security=security)
    options = security.producer_options()
    async with Publisher(settings.broker.url, options=options) as publisher:
        with err.status("Replaying") as status:
            return await replay(
                store,
                letters,
                publisher,
                logs,
                again=again,
                progress=lambda so_far: status.update(f"{so_far.replayed} replayed"),
            )


def _selection(settings: Settings, topic: str, reason: str, since: str | None) -> Selection:
    at = instant(since, settings.queue("").timezone, "--since")
    return Selection(topic=topic, reason=reason, since=at)


def _shape(letter: DeadLetter) -> dict[str, Any]:
    place = letter.place
    return {
        **place._asdict(),
        "produced_at": iso(letter.produced_at),
        "judged_at": iso(letter.judged_at),
        "reason": letter.reason,
        "error_path": letter.error_path,
        "error": letter.error,
        "replays": letter.replays,
        "size_bytes": letter.size_bytes,
        **_bytes("key", letter.key),
    }


def _content(original: Original) -> dict[str, Any]:
    headers = [{"name": name, **_bytes("value", value)} for name, value in original.headers]
    return {"headers": headers, **_bytes("value", original.value)}


def _bytes(name: str, value: bytes) -> dict[str, str | None]:
    """As text, or where it is none in base64."""
    try:
        return {name: value.decode(), f"{name}_base64": None}
    except UnicodeDecodeError:
        return {name: None, f"{name}_base64": base64.b64encode(value).decode()}


def _verdict_now(store: Store, letter: DeadLetter, original: Original) -> str:
    """What would become of it if it came now."""
    from schemas.decode import Event, decode

    if not letter.is_record:
        return "a row of a table: it is computed anew from its events"
    event = decode(original.value, original.headers)
    if not isinstance(event, Event):
        return f"refused: {event.reason}: {event.message}"
    if stored_events(store, [event]):
        return "stored: its event came through since"
    return "readable: `switchboard dead-letters replay` publishes it again"


def _none_such(counts: dict[str, int]) -> str:
    if not counts:
        return "There are no dead letters."
    there = ", ".join(f"{reason} {number}" for reason, number in counts.items())
    return f"There are none such. There are: {there}."


def _table(letters: Sequence[DeadLetter], zone: str) -> Table:
    replayed = any(letter.replays for letter in letters)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("record", no_wrap=True)
    table.add_column(f"produced ({zone})")
    if replayed:
        table.add_column("replays", justify="right")
    table.add_column("reason")
    table.add_column("what is wrong", overflow="fold", ratio=1)
    for letter in letters:
        place = letter.place
        table.add_row(
            Text(f"{place.topic} {place.partition} {place.offset}"),
            local(letter.produced_at, zone),
            *([str(letter.replays or "")] if replayed else []),
            letter.reason,
            Text(_printable(_wrong(letter))),
        )
    return table


def _wrong(letter: DeadLetter) -> str:
    return f"{letter.error_path}: {letter.error}" if letter.error_path else letter.error


def _print(letter: DeadLetter, original: Original, now: str, zone: str) -> None:
    place = letter.place
    out.print(Text(f"{place.topic} {place.partition} {place.offset}", style="bold"))
    facts = {
        "log": place.log,
        "produced": f"{local(letter.produced_at, zone, seconds=True)} ({zone})",
        "refused": f"{letter.reason}: {_wrong(letter)}",
        "replays": f"{letter.replays} refused again" if letter.replays else "",
        "now": now,
        "key": letter.key.decode(errors="backslashreplace"),
        **{
            f"header {name}": value.decode(errors="backslashreplace")
            for name, value in original.headers
        },
    }
    for name, value in facts.items():
        if value:
            out.print(Text.assemble((f"{_printable(name)} ", "dim"), _printable(value)))
    out.print(Text(f"{letter.size_bytes} bytes", style="dim"))
    text = original.value.decode(errors="backslashreplace")
    out.print(Text(_printable(text[:SHOWN_CHARACTERS])))
    if len(text) > SHOWN_CHARACTERS:
        out.print("… and more: `--format json` prints all of it.")
    out.print()


def _printable(text: str) -> str:
    """Fit for a terminal: what came from outside must not steer it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _print_report(report: "ReplayReport", *, dry_run: bool) -> None:
    out.print(f"{report.replayed} {'would be replayed' if dry_run else 'replayed'}")
    for number, what in (
        (report.already_stored, "stored already"),
        (report.still_refused, "still refused by this program (--again publishes them anyway)"),
        (report.refused_before, "refused again by an earlier replay (--again: once more)"),
        (report.rows_of_tables, "rows of tables, which are computed anew from their events"),
    ):
        if number:
            out.print(f"{number} {what}")
