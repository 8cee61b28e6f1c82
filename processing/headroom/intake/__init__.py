"""From files as monitoring systems write them to the panel."""
