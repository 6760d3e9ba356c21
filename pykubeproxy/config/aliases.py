"""YAML whose aliases repeat so much that a few lines would mean millions of values is refused before it is built.

An alias of a list of aliases of a list, sixteen levels deep, takes less than a kilobyte to write; whoever walks through
what it means, or prints it, does not come to an end.
"""

from typing import Any

import yaml

# Values, counted as often as they are repeated: more than this, and more than ten times what is written there.
_MOST_VALUES = 100_000
_MOST_REPETITION = 10


class AliasLimit:
    """To be put before PyYAML's loaders: `construct_document` raises YAMLError for such a document."""

    def construct_document(self, node: yaml.Node) -> Any:
        """Build what a document means."""
        sizes: dict[int, int] = {}
        size = _size(node, sizes)
        if size > _MOST_VALUES and size > _MOST_REPETITION * len(sizes):
            raise yaml.YAMLError("aliases repeat values too often")
        return super().construct_document(node)  # type: ignore[misc]


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """The number of values in a node, aliases followed; one that contains itself counts as none there."""
    found = sizes.get(id(node))
    if found is not None:
        return found
    sizes[id(node)] = 0
    size = 1
    match node:
        case yaml.MappingNode():
            size += sum(_size(key, sizes) + _size(value, sizes) for key, value in node.value)
        case yaml.SequenceNode():
            size += sum(_size(item, sizes) for item in node.value)
    sizes[id(node)] = size
    return size
