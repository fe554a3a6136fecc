"""What it costs: measured, never asserted in a test."""
