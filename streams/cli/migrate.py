"""`switchboard migrate`: the store's tables, settings and views as this program wants them."""

import json

from streams.cli.options import (
    ConfigOption,
    DataOption,
    Format,
    FormatOption,
    TenantOption,
    err,
    log_to_stderr,
    out,
    settings_of,
)
from streams.parts import migrate_all, opened_store


def migrate(
    config: ConfigOption = None,
    data: DataOption = None,
    tenant: TenantOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Bring the store up to date: tables, retention, settings of queues, views.

    `switchboard migrate --config switchboard.toml`

    Run it after an update of the program and after changing targets, time zones or retention;
    `process` does it by itself, and so does `run` with the embedded engine. Again changes nothing.
    """
    log_to_stderr(verbose=False)
    settings = settings_of(config, data, tenant)
    with err.status("Migrating the store"), opened_store(settings) as store:
        changed = migrate_all(store, settings)
        place = f"{store.place}, database {store.database}"
    if output is Format.JSON:
        out.print_json(json.dumps({"store": place, "changed": changed}))
        return
    out.print(f"{place}:", markup=False)
    for line in changed or ["nothing to do"]:
        out.print(f"  {line}", markup=False)
