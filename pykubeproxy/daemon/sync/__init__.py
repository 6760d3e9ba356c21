"""The sync of one IP family: from the rules that are in the kernel to those that should be."""
