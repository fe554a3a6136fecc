"""The HTTP API about customers: who they are, and what happened before.

`app` is the FastAPI application, `server` serves it; `tokens` and `rate_limit` are pure.
"""
