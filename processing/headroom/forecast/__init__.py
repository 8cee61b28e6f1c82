"""From the panel to a model and its quantiles."""
