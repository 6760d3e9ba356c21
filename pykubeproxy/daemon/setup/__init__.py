"""What is found out about the node, and which kernel settings are made, before the first sync."""
