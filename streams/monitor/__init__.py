"""Stage 2, the queue monitor: live state, rolling windows and breaches of queues."""
