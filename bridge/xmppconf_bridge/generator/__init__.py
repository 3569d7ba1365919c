"""The load generator: many participants out of one process, to measure a bridge with."""
