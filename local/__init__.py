"""The laptop cloud: Headroom's real deployment on one machine, without an AWS account."""
