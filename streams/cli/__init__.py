"""The command line, `switchboard`: one module a command. Knows all parts; prints, and exits."""

from streams.cli.main import main

__all__ = ["main"]
