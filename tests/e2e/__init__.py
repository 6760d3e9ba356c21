"""A package, so that fixtures of package scope end with its last test: clusters that are shared by several modules.

A cluster that stayed up would load the machine, and open and close connections while later tests count descriptors.
"""
