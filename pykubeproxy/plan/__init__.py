"""How to get from the rules that are to the rules that should be. Pure: a Plan is a value, `host` carries it out."""
