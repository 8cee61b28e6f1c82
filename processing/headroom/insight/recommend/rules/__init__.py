"""The rules, one per file; see :mod:`headroom.insight.recommend` for what a rule is."""
