"""What every target of iptables does to a packet, one subject per module (`net/netfilter/xt_*.c`, `nf_nat_*.c`)."""
