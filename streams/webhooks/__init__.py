"""Telling webhooks of breaches: a consumer of `queue.breaches`."""
