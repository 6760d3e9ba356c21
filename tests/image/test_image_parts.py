"""What the Dockerfile takes out is not needed: every module of the program can be imported without it."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

DOCKERFILE = (Path(__file__).parents[2] / "Dockerfile").read_text().replace("\\\n", "")
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.modules |= dict.fromkeys(sys.argv[1:])
import kubernetes.client.rest, kubernetes.config.kube_config, pykubeproxy
for module in pkgutil.walk_packages(pykubeproxy.__path__, "pykubeproxy."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def words(pattern: str) -> set[str]:
    (found,) = re.findall(pattern, DOCKERFILE)
    return set(found.split())


def test_nothing_that_is_taken_out_is_imported() -> None:
    packages = words(r"uninstall --yes ([^&]*)&&")
    installed = packages_distributions()
    modules = {name for name in installed if packages & {canonicalize_name(package) for package in installed[name]}}
    assert "aiohttp" in modules
    parts = {
        path.replace("/", ".") for path in re.findall(r"site-packages/(kubernetes/(?:aio|client/api))\b", DOCKERFILE)
    }
    assert len(parts) == 2
    library = words(r"for module in ([^;]*);")
    subprocess.run([sys.executable, "-c", IMPORT_ALL, *modules, *parts, *library], check=True)
