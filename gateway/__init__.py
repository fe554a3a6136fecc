"""Sources: each turns a foreign format into canonical events, and publishes them."""
