"""YAML with its mappings as pairs: all of a configuration that needs PyYAML, which takes long to load."""

from typing import Any

import yaml

from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.pairs import Pairs
from pykubeproxy.config.yaml_limits import AliasLimit
from pykubeproxy.config.yaml_values import as_go_reads

_MERGE_TAG = "tag:yaml.org,2002:merge"


@as_go_reads
class _Loader(AliasLimit, yaml.SafeLoader):
    """YAML as Kubernetes reads it, with mappings as pairs."""

    def construct_pairs_of(self, node: yaml.MappingNode) -> Pairs:
        merged = any(key.tag == _MERGE_TAG for key, _ in node.value)
        self.flatten_mapping(node)
        pairs = self.construct_pairs(node, deep=True)
        # A merged-in key that is then overridden is no duplicate.
        return Pairs({str(key): (key, value) for key, value in pairs}.values() if merged else pairs)


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_pairs_of)


def first_document(text: str) -> tuple[Any, bool]:
    """The value of the first document, and whether others follow. Raises ConfigError with the line and column."""
    try:
        documents = yaml.load_all(text, _Loader)
        return next(documents, None), next(documents, _Loader) is not _Loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{where}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(" ".join(str(error).split())) from None
