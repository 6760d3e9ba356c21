"""YAML that is nested deeper than any manifest is refused while it is read.

PyYAML's C loader composes a document by recursion in C, without a limit: some ten thousand brackets use up the stack,
and the process dies by a segmentation fault, which no Python code can catch.
"""

import yaml

# Kubernetes' own objects have some twenty levels, a CustomResourceDefinition may have a hundred. Building the values
# takes several Python calls for each, of which a thread has a thousand.
_DEEPEST = 250


class DepthLimit:
    """To be put before PyYAML's loaders: composing raises YAMLError for what is nested too deeply.

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
        """Come back from it."""
        self._depth -= 1
