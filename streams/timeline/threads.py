"""The order of messages in their threads. Pure."""

from collections.abc import Iterable, Sequence

from schemas.timeline import Message


def threaded(messages: Sequence[Message]) -> list[Message]:
    """Messages so that each comes after the one it answers, threads and answers by their times.

    `depth` is set. A message that answers one which is not there, or itself, begins a thread; so
    does the earliest of messages that answer each other in a circle.
    """
    ordered = sorted(messages, key=lambda message: (message.at, message.id))
    by_id = {message.id: message for message in reversed(ordered)}
    answers: dict[str, list[Message]] = {}
    roots = []
    for message in ordered:
        if message.in_reply_to in by_id and message.in_reply_to != message.id:
            answers.setdefault(message.in_reply_to, []).append(message)
        else:
            roots.append(message)
    placed: list[Message] = []
    seen: set[int] = set()
    _place(roots, answers, placed, seen)
    # What is left answers in a circle.
    for message in ordered:
        if id(message) not in seen:
            _place([message], answers, placed, seen)
    return placed


def _place(
    roots: Iterable[Message],
    answers: dict[str, list[Message]],
    placed: list[Message],
    seen: set[int],
) -> None:
    """Append threads to `placed`; by a stack of its own, for threads may be long."""
    waiting = [(message, 0) for message in reversed(list(roots))]
    while waiting:
        message, depth = waiting.pop()
        if id(message) in seen:
            continue
        seen.add(id(message))
        placed.append(message.model_copy(update={"depth": depth}))
        following = answers.pop(message.id, ())
        waiting.extend((answer, depth + 1) for answer in reversed(following))
