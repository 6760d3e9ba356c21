"""Three nodes in two zones, with every kind of Service, dual stack."""
