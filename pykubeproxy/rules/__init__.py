"""What the kernel should hold: pure functions from the model to iptables rules.

Rule text has one language, the form that `iptables-save` prints; `docs/reference/iptables-rules.md` section 17
describes it. What is compiled, what is restored and what is read back are therefore compared as text.
"""
