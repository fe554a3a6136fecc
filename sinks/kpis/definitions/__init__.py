"""One module a KPI, or a few that belong together: what lies here is in the catalogue.

Each has `KPIS`, a tuple of `Kpi`, and may have a `SECTION` under which they are shown. Pure.
"""
