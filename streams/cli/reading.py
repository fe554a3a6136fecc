"""Opening the store for commands that only read it: makes nothing, says what is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.settings import Settings
from sinks.migrate import queue_setting_changes
from sinks.store import Store
from streams.cli.options import NothingFound, err
from streams.parts import opened_store, queue_setting_rows, store_directory


@contextmanager
def store_to_read(settings: Settings) -> Iterator[Store]:
    """The store as configured, with a sign of life while it opens and answers.

    Raises:
        NothingFound: the embedded engine has no files yet.
        StoreError: it cannot be opened (a `switchboard run` on the same directory holds it, say).
    """
    directory = store_directory(settings)
    if settings.clickhouse.embedded and not directory.is_dir():
        raise NothingFound(
            f"nothing is stored in {settings.data_dir} yet: name the directory by --data, or begin"
            f" with `switchboard process asterisk-queue-log FILE --data {settings.data_dir}`"
        )
    with err.status("Reading the store"), opened_store(settings) as store:
        yield store


def warn_of_other_settings(store: Store, settings: Settings) -> None:
    """Say so where the views count by other targets or time zones than the configuration has."""
    changes = queue_setting_changes(store, queue_setting_rows(settings))
    if changes:
        err.print(
            f"[yellow]Note:[/] the store and the configuration differ in {', '.join(changes)};"
            " the store's hold for targets. `switchboard migrate` takes the configuration's over.",
            soft_wrap=True,
        )
