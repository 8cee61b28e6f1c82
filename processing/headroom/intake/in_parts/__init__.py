"""Intake in parts, for a cluster: what shares of files and buckets of servers tell each other."""
