"""The daemon: objects come in, rules go out, again and again.

`run` is the entry. `node_daemon` puts one node's daemon together: the `loop`, what is known of the node (`setup`), the
sync of each IP family (`sync`), what the loop calls with each change and sync (`follow`), and the threads beside the
loop that put messages into its queue (`watch`).
"""
