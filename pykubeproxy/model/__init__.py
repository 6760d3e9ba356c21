"""What a cluster is, as frozen values: Services, endpoints, nodes, and which endpoints a Service may use.

Pure: nothing here does I/O, reads a clock, draws a random number or logs. Sources of objects (`pykubeproxy.cluster`)
make these values; `pykubeproxy.rules` reads them.
"""
