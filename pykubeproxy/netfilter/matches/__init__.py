"""What every match of iptables asks about a packet, one subject per module.

Each module offers OPTIONS, matches whose options are asked one by one, and CLAUSES, whose options belong together.
Semantics are those of the kernel's `net/netfilter/xt_*.c`, option names those of iptables-extensions(8).
"""
