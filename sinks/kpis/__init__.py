"""Key performance indicators: every formula once, applied when rows are read.

`catalogue` holds the definitions, `views` renders them as ClickHouse views, `query` reads those.
Nothing here writes rows; `query` alone talks to a store.
"""
