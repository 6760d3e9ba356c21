"""The matches of iptables, by subject.

In each module, OPTIONS has the options that are matched one by one, by their match and name; CLAUSES has the matches
whose options belong together.

Semantics are those of the kernel's `net/netfilter/xt_*.c`, option names those of iptables-extensions(8).
"""
