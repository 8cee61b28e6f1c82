"""From forecasts to what they mean: risk, seasons, groups, recommendations."""
