"""Others doing the core of the job, each as its own documentation has it written.

The job: decode and validate CloudEvents, a timeline row for each, and for every queue and ten
seconds how many contacts were offered, answered, abandoned, answered within the target, and after
what waits; joined by interaction, into ClickHouse. They run in an environment of their own (`make
peers`); nothing of it is in the product, and nothing of the product is in here but in `run`.
"""
