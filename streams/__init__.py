"""Stream processing: the pure fold, the Faust transport, the wiring and the command line."""
