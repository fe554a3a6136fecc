"""The collector sees what is left around a batch, and never what a fold makes of it.

Each in a process of its own: the collector is everybody's.
"""

import subprocess
import sys

import pytest

CYCLE = """
import gc, weakref
from streams import garbage

class Node:
    pass

def cycle():
    one = Node()
    one.itself = one
    return weakref.ref(one)
"""
CASES = {
    "garbage from before is found": """
garbage.tune_collector()
before = cycle()
with garbage.put_aside():
    assert before() is None
""",
    "what was frozen before is left alone: processes may share it": """
before = cycle()
gc.freeze()
garbage.tune_collector()
assert before() is not None
""",
    "what is made inside is not looked at": """
garbage.tune_collector()
with garbage.put_aside():
    kept = [Node() for _ in range(1_000)]
assert not {id(one) for one in kept} & {id(one) for one in gc.get_objects()}
assert gc.get_freeze_count() >= 1_000
there = weakref.ref(kept[0])
kept.clear()
assert there() is None
""",
    "nor where it fails": """
garbage.tune_collector()
before = gc.get_freeze_count()
kept = []
try:
    with garbage.put_aside():
        kept += [Node() for _ in range(1_000)]
        raise ValueError
except ValueError:
    pass
assert gc.get_freeze_count() >= before + 1_000
""",
    "nothing is put aside while there is something that leaves cycles": """
garbage.tune_collector()
before = gc.get_freeze_count()
with garbage.put_aside(unless=lambda: True):
    kept = Node()
began = iter([False, True])
with garbage.put_aside(unless=lambda: next(began)):
    lost = cycle()
assert gc.get_freeze_count() <= before
with garbage.put_aside():
    assert lost() is None
""",
    "what was alive as a batch was applied is found once a day": """
clock = [0.0]
garbage.time.monotonic = lambda: clock[0]
garbage.tune_collector()
with garbage.put_aside():
    kept = Node()
    kept.itself = kept
lost = weakref.ref(kept)
del kept
with garbage.put_aside():
    assert lost() is not None
clock[0] = 86_399.0
with garbage.put_aside():
    assert lost() is not None
clock[0] = 86_400.0
with garbage.put_aside():
    assert lost() is None
    kept = [Node() for _ in range(1_000)]
assert not {id(one) for one in kept} & {id(one) for one in gc.get_objects()}
""",
    "who did not choose it has the collector that they had": """
before = gc.get_threshold()
lost = cycle()
with garbage.put_aside():
    kept = Node()
assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)
assert lost() is not None
""",
}


@pytest.mark.parametrize("case", CASES)
def test_the_collector(case: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CYCLE + CASES[case]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
