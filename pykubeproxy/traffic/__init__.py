"""New connections per Service and endpoint, told from the counters of live rules. Pure."""
