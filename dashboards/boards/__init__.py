"""Grafana's boards as code. `python -m dashboards.build` writes them out as JSON.

A module a board; `queries`, `panels` and `variables` are what they are made of. Pure: nothing here
asks Grafana, ClickHouse or Prometheus anything.
"""
