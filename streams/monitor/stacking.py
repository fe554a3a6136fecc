"""A forecast corrected by what came of those before it: logistic regression on the way. Pure.

A model of a queue knows nothing of languages, of phones that nobody picks up, of agents shared with
other queues, and so is too sure of itself. Its log-odds are weighed against how the last quarter of
an hour and the same minutes of the day before went (stacking; with the model alone it would be
Platt's scaling), and each forecast that comes due moves the weights a step down the gradient of its
logarithmic score. They begin at values chosen by hand, which served a
simulated centre.
"""

import math
from typing import Final

Evidence = tuple[float, float, float]
"""Log-odds by the model; then 1 for a breach, -1 for none, 0 where nothing came: lately, and a day
before."""
Weights = list[float]
"""Of a constant, and of each item of the evidence."""

BEGIN: Final = (0.0, 0.3, 0.3, 0.2)
STEP: Final = 0.03
SUREST: Final = 4.0
"""The greatest log-odds that a model is believed."""


def log_odds(probability: float) -> float:
    """The log-odds of a probability, within `SUREST`."""
    if not 0 < probability < 1:
        return SUREST if probability else -SUREST
    return max(-SUREST, min(SUREST, math.log(probability / (1 - probability))))


def weighed(weights: Weights, evidence: Evidence) -> float:
    """The probability that evidence comes to."""
    constant, *others = weights
    total = constant + sum(w * e for w, e in zip(others, evidence, strict=True))
    return 1 / (1 + math.exp(-total))


def learn(weights: Weights, evidence: Evidence, *, breached: bool) -> None:
    """Let weights know what came of a forecast; more evidence of a breach never lowers it."""
    off = weighed(weights, evidence) - breached
    weights[0] -= STEP * off
    for at, value in enumerate(evidence, 1):
        weights[at] = max(0.0, weights[at] - STEP * off * value)
