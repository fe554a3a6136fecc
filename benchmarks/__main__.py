"""`python -m benchmarks`: what `make bench` runs."""

from benchmarks.pipeline import main

main()
