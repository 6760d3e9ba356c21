"""Pictures of a trace: pure functions from a Trace to text, in formats that others draw."""
