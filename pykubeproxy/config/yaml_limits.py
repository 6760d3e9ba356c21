"""Limits on YAML that would take all memory, or end the process, when it is read: too many aliases, too deep nesting.

An alias of a list of aliases of a list, sixteen levels deep, takes less than a kilobyte to write; processing or
printing its value would not end in practice. And PyYAML's C loader composes a document by recursion in C,
without a limit: some ten thousand brackets use up the stack, and the process dies by a segmentation fault, which no
Python code can catch.
"""

from typing import Any

import yaml

# A document is refused if it has more values than the first number, each counted as often as aliases repeat it, and
# more than the second number times the values that are written in it.
_MOST_VALUES = 100_000
_MOST_REPETITION = 10

# Kubernetes' own objects have some twenty levels, a CustomResourceDefinition may have a hundred. Building the values
# takes several Python calls for each, of which a thread has a thousand.
_DEEPEST = 250


class AliasLimit:
    """A mixin for PyYAML's loaders: `construct_document` raises YAMLError if aliases repeat too many values."""

    def construct_document(self, node: yaml.Node) -> Any:
        """Construct the value of a document."""
        sizes: dict[int, int] = {}
        size = _size(node, sizes)
        if size > _MOST_VALUES and size > _MOST_REPETITION * len(sizes):
            raise yaml.YAMLError("aliases repeat values too often")
        return super().construct_document(node)  # type: ignore[misc]


class DepthLimit:
    """A mixin for PyYAML's loaders: composing raises YAMLError for a document that is nested too deeply.

    Both methods are called for each node, before and after all that is in it. A resolver by paths, which is what they
    are meant for, is not used by the safe loaders.
    """

    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Go down one level."""
        del current_node, current_index
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError("nested too deeply")

    def ascend_resolver(self) -> None:
        """Go up one level."""
        self._depth -= 1


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
