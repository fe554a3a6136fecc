"""What it costs to know who is one customer: `python -m benchmarks.identity [EDGES]`.

Edges of a made-up population (most customers with two to six identifiers, some switchboard numbers
that hundreds share, some mistakes that link strangers) are published in any order to a resolver of
several partitions, without a broker. Prints what the resolver sends and takes per edge, what became
of them, and what an event costs that shows no new link.
"""

import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Final
from zlib import crc32

from streams.fold.customers import customer_key
from streams.identity import state
from streams.identity.edges import SHOWN, Edge, edge
from streams.identity.guards import Limits
from streams.identity.messages import Message, Rendered, of_edge, read, rendered
from streams.identity.publishing import PublishedLinks
from streams.identity.resolver import Nodes

EDGES: Final = 200_000
PARTITIONS: Final = 8
CHUNK: Final = 2_000
KINDS: Final = ("phone", "email", "handle", "device")


def population(count: int, dice: random.Random) -> Iterator[Edge]:
    """So many edges: pairs that interactions showed."""
    made = person = 0
    shared = [(customer_key("t", f"phone:shared-{n}"), "phone") for n in range(count // 20_000 + 1)]
    before = shared[0]
    while made < count:
        person += 1
        own = [
            (customer_key("t", f"{kind}:{person}-{n}"), kind)
            for n, kind in enumerate(dice.choices(KINDS, k=dice.choice((2, 2, 2, 3, 3, 4, 6))))
        ]
        pairs = [(own[0], other) for other in own[1:]]
        if dice.random() < 0.01:
            pairs.append((dice.choice(shared), own[0]))
        if dice.random() < 0.002:
            pairs.append((before, own[-1]))
        before = own[0]
        for one, other in pairs:
            made += 1
            yield edge(one, other, at=dice.randrange(1 << 40), rule=SHOWN, evidence=f"i-{made}")


def converge(messages: list[Message], partitions: list[Nodes]) -> tuple[int, Counter[str], int]:
    """Let them talk until nobody has anything to say: messages, states of edges, customers."""
    queues: list[deque[bytes]] = [deque() for _ in partitions]
    customers: dict[str, tuple[int, str]] = {}
    states: dict[tuple[str, str], tuple[int, str]] = {}
    sent = 0

    def send(record: Rendered) -> None:
        queues[crc32(record.key) % len(queues)].append(record.value)

    for message in messages:
        sent += 1
        send(rendered(message))
    while any(queues):
        for nodes, queue in zip(partitions, queues, strict=True):
            for _ in range(min(CHUNK, len(queue))):
                nodes.hear(read(queue.popleft()))
            for message in nodes.take_messages():
                sent += 1
                send(rendered(message))
            for root, (found, verdicts) in nodes.take_resolved():
                for key, customer in found.items():
                    customers[key] = max(customers.get(key, (0, "")), (root.version, customer))
                for pair, verdict in verdicts.items():
                    known = states.get(pair, (0, ""))
                    states[pair] = max(known, (root.version, f"{verdict.state} {verdict.reason}"))
    return (
        sent,
        Counter(name for _, name in states.values()),
        len({c for _, c in customers.values()}),
    )


def main(arguments: list[str]) -> None:
    """Measure and print."""
    count = int(arguments[0]) if arguments else EDGES
    dice = random.Random(1)  # noqa: S311 -- a made-up population
    edges = list(population(count, dice))
    dice.shuffle(edges)
    partitions = [Nodes(Limits()) for _ in range(PARTITIONS)]
    began = time.process_time()
    sent, states, customers = converge([of_edge("t", each) for each in edges], partitions)
    took = time.process_time() - began
    known = len({pair for each in edges for pair in each.pair})
    print(f"{len(edges):,} edges of {known:,} identifiers in {PARTITIONS} partitions")
    print(f"  messages        {sent / len(edges):.2f} an edge, the edge's own included")
    print(f"  processor time  {took / len(edges) * 1e6:.1f} µs an edge, {took:.1f} s in all")
    print(f"  customers       {customers:,}")
    for name, number in sorted(states.items()):
        print(f"  {name:<15} {number:,} edges")
    began = time.process_time()
    saved = [state.snapshot(nodes, 0) for nodes in partitions]
    took = time.process_time() - began
    print(f"  state           {sum(map(len, saved)) / known:.0f} bytes an identifier, {took:.2f} s")
    cost_without_news(edges[:50_000])


def cost_without_news(edges: list[Edge]) -> None:
    """What it costs that an interaction shows links again which are published."""
    links = PublishedLinks()
    rows = [("t", e.a, e.b, "phone:1", "email:a", SHOWN, "", "i", e.seen_at) for e in edges]
    links.published(links.new(rows).values())
    began = time.process_time()
    fresh = links.new(rows)
    took = time.process_time() - began
    print(f"no new link: {took / len(rows) * 1e6:.2f} µs a link, {len(fresh)} messages")


if __name__ == "__main__":
    main(sys.argv[1:])
