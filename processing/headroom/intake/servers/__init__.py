"""Whose rows are whose: servers, their parts and groups, what is known of them, and their series in the panel."""
