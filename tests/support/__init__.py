"""Real servers for tests: each starts, waits until it answers, and ends with the test process."""
