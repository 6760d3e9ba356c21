"""YAML as Kubernetes reads it: all of reading manifests that needs PyYAML, which takes long to load."""

from collections.abc import Hashable
from typing import Any

import yaml

from pykubeproxy.config.yaml_limits import AliasLimit, DepthLimit
from pykubeproxy.config.yaml_values import as_go_reads

_MERGE = "<<"


@as_go_reads
class Loader(AliasLimit, DepthLimit, yaml.CSafeLoader):
    """YAML as Kubernetes reads it, except that a duplicate key in a mapping is an error.

    Mostly, the line `---` between two objects is missing then, and one of them would be lost silently.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """The value of a mapping. Raises ConstructorError for a key that is there twice."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != _MERGE:
                if key.value in seen:
                    problem = f"{key.value} is there twice: is a line --- missing?"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)
