"""How a node is: what was found out about it as values, what follows from that, and the words for it."""
