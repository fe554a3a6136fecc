"""Whole simulated days through the pipeline, compared with what really happened in them."""
