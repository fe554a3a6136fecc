"""Where results go: ClickHouse with its migrations and views, checkpoints, dead letters."""
