"""Configurations for validation tests: the defaults with some fields changed."""

from collections.abc import Mapping

from pykubeproxy.config.defaults import DEFAULTS
from pykubeproxy.config.flags import put_at
from pykubeproxy.config.validate import validate


def errors(fields: Mapping[str, object], cluster_cidrs: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The errors of the defaults with these fields (by attribute path), without the path's root."""
    config = DEFAULTS
    for path, value in fields.items():
        config = put_at(config, path, value)
    found = validate(config, cluster_cidrs=cluster_cidrs)
    return tuple(error.removeprefix("KubeProxyConfiguration.") for error in found)
