"""The contract: events, queue settings and stored rows. Knows nobody else in the project."""
