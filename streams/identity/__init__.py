"""Which identifiers are one customer: how they are written, linked, guarded and resolved."""
