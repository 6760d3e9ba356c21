"""A Kubernetes node network on one machine, and the cases that Services must pass in it.

topology     what to build: nodes, pods, the outside (values)
examples     a topology and Services read from a folder of manifests
netns        one network namespace: create, run commands in it, remove
processes    the programs that a lab started, so that none outlives it
lab          builds a topology out of namespaces, and takes it down again
pod_server   what runs in a pod: answers with its own name and the client's address
asking       asks a pod's server over TCP (curl) or UDP, and says what came of it
expectation  a test case as a value, and its judge
cases        the cases themselves, one definition for every kind of cluster
running      the cases of a cluster, put to a lab
proxies      one real proxy process per node
demo         what `make run` shows
"""
