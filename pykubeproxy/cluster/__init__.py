"""Where objects come from: the API server or files. Everything that enters the model passes through here.

`wire` holds the API's own shapes, `translate` turns them into values of `pykubeproxy.model` and refuses what a rule
must never contain.
"""
