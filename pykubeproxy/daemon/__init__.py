"""The loop that joins everything: objects in, rules out, again and again."""
