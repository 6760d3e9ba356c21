"""What is known of the node, and what is made ready on it before the first sync."""
