"""The command line: arguments and printing, nothing else. `cli.md` is its contract."""
