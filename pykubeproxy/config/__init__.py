"""kube-proxy's configuration: flags, the v1alpha1 file, defaults, merging, validation.

Source: `docs/reference/lifecycle.md` 1-4, 15, 16.

    flags given + file's bytes --complete--> Completed --check--> its config is used

Pure: callers read the file and log the warnings. Only `options`, which makes click options, imports more than values.
"""

from pykubeproxy.config.completed import Completed, check, complete
from pykubeproxy.config.duration import Duration
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.gates import FeatureGates
from pykubeproxy.config.types import KubeProxyConfiguration, LocalMode
from pykubeproxy.config.write import as_api_object, write

__all__ = [
    "Completed",
    "ConfigError",
    "Duration",
    "FeatureGates",
    "KubeProxyConfiguration",
    "LocalMode",
    "as_api_object",
    "check",
    "complete",
    "write",
]
