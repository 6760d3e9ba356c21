"""The node: the iptables tools, its interfaces, its settings. All access to the kernel goes through here."""
