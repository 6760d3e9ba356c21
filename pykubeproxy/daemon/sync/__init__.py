"""One IP family: its rules, brought to the kernel in a sync."""
