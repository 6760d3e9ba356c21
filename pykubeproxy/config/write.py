"""The configuration as v1alpha1 text: what --write-config-to writes and /configz shows."""

from typing import Any

import msgspec
import yaml

from pykubeproxy.config.types import KubeProxyConfiguration

_STRING_TAG = "tag:yaml.org,2002:str"


def as_api_object(config: KubeProxyConfiguration) -> dict[str, Any]:
    """The configuration as plain values, fields in the API's own order.

    Fields that the API marks `omitempty` are left out when empty; other empty lists are null.
    """
    fields: dict[str, Any] = msgspec.to_builtins(config, enc_hook=str)
    logging = fields["logging"]
    for section, name in (
        (fields, "featureGates"),
        (fields, "windowsRunAsService"),
        (logging, "vmodule"),
        (logging["options"]["text"], "splitStream"),
        (logging["options"]["json"], "splitStream"),
    ):
        if not section[name]:
            del section[name]
    for section, name in ((fields, "nodePortAddresses"), (fields["ipvs"], "excludeCIDRs")):
        section[name] = list(section[name]) or None
    qps = config.client_connection.qps
    fields["clientConnection"]["qps"] = int(qps) if qps.is_integer() else qps
    return fields


def write(config: KubeProxyConfiguration) -> str:
    """The configuration as YAML, keys in alphabetical order (`docs/reference/lifecycle.md` section 16, example A)."""
    text: str = yaml.dump(as_api_object(config), Dumper=_Dumper, sort_keys=True, width=2**31, allow_unicode=True)
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes as Go's YAML library does: double where a plain string would be read as another type."""

    def ignore_aliases(self, _data: object) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        read_as: str = self.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return self.represent_scalar(_STRING_TAG, text, style=None if read_as == _STRING_TAG else '"')


_Dumper.add_representer(str, _Dumper.represent_text)
