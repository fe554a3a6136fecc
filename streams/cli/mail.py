"""What `switchboard ingest mail` and `switchboard process mail` are told."""

from pathlib import Path
from typing import Annotated

import typer

MailPaths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="mbox files, maildirs, single mails, or bodies of Postmark's inbound webhook.",
        exists=True,
        show_default=False,
    ),
]
OursOption = Annotated[
    list[str],
    typer.Option(
        "--ours",
        metavar="ADDRESS|DOMAIN",
        help="An address of the contact centre, or a whole domain: mails from it are answers of"
        " agents, all others are customers'. May be given several times.",
        show_default=False,
    ),
]
MailSourceOption = Annotated[
    str,
    typer.Option(help="Name of the mailbox. Mails of one mailbox are read under one name."),
]
