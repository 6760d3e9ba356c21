"""The address of the API server and the credentials for it: from a kubeconfig, a pod's service account, or --master.

Source: `docs/reference/lifecycle.md` section 9.

The `kubernetes` client reads the files, runs exec plugins, and renews tokens that have an expiry time. Some files it
reads only once, such as a kubeconfig's `tokenFile`; this module has them read again every minute.
"""

import contextlib
import importlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml

from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.connections import SOCKET_OPTIONS
from pykubeproxy.cluster.manifests import SourceError
from pykubeproxy.cluster.official_client import part, whole
from pykubeproxy.config.addresses import without_secrets

# Seconds after which files are read again, as in client-go: token files are replaced from time to time.
_FRESH_SECONDS = 60.0
_NO_CLUSTER = (
    "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined; "
    "elsewhere, --kubeconfig FILE says where the API server is"
)
_CLUSTER_VARIABLES = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
# What an error message of PyYAML quotes from the file. In a kubeconfig, that may be a password that begins with `*` or
# `!`.
_QUOTED = re.compile(r"'[^'<]{2,}'")

Configuration = Any
"""The client's own class, which has type annotations in some of its versions."""


class AccessError(SourceError):
    """The configuration does not say where the API server is, or cannot be read."""


class ClientConfig(msgspec.Struct, frozen=True):
    """The client's configuration, as it was read from files or from the output of an exec plugin.

    `is_cheap` is True if only files were read, and no program was run. `problem` says why credentials are missing that
    the kubeconfig asks for; it is empty if they are there.
    """

    configuration: Configuration
    is_cheap: bool
    problem: str = ""


class Credentials(msgspec.Struct, frozen=True):
    """How to connect, and the Authorization header. `generation` grows when the configuration is read again."""

    configuration: Configuration
    authorization: str | None
    generation: int


class Access:
    """The address of one API server and the credentials for it. Any thread may use it."""

    def __init__(self, load: Callable[[], ClientConfig], clock: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._clock = clock
        self._lock = threading.Lock()
        self._loaded = load()
        self._read_at = clock()
        self._generation = 0

    @property
    def server(self) -> str:
        """The API server's address, as in `https://10.0.0.1:6443`."""
        return str(self._loaded.configuration.host).rstrip("/")

    @property
    def host(self) -> str:
        """The host in that address, with its port if there is one, and without a password."""
        return urlsplit(self.server).netloc.rpartition("@")[2]

    @property
    def shown(self) -> str:
        """The API server's address for messages: without a password, if somebody put one there."""
        return without_secrets(self.server)

    @property
    def weakness(self) -> str | None:
        """Why the connection is not secure: not encrypted, or the server not verified; None if it is secure."""
        if not self.server.lower().startswith("https://"):
            return "the connection is not encrypted: its URL is not https://"
        if not self._loaded.configuration.verify_ssl:
            return "its certificate is not verified: insecure-skip-tls-verify is set"
        return None

    def credentials(self) -> Credentials:
        """The credentials for a request now. Raises ApiError if there are none, though the kubeconfig asks for some."""
        with self._lock:
            if self._loaded.problem:
                self._read()
            elif self._loaded.is_cheap and self._clock() - self._read_at >= _FRESH_SECONDS:
                # A file that cannot be read may just be being replaced; what was read before stays valid for a while.
                with contextlib.suppress(ApiError):
                    self._read()
            return Credentials(self._loaded.configuration, self._authorization(), self._generation)

    def renew(self, refused: int) -> None:
        """Read everything again, after credentials of this generation were refused. Raises ApiError."""
        with self._lock:
            if refused == self._generation:
                self._read()

    def _read(self) -> None:
        self._read_at = self._clock()
        try:
            loaded = self._load()
        except AccessError as error:
            raise _without_credentials(str(error)) from None
        self._loaded = loaded
        self._generation += 1
        if loaded.problem:
            raise _without_credentials(loaded.problem)

    def _authorization(self) -> str | None:
        """The value of the header. The client runs an exec plugin again here, if its token is about to expire."""
        try:
            with _root_errors():
                settings: Mapping[str, Any] = self._loaded.configuration.auth_settings()
        except Exception as error:  # noqa: BLE001  whatever a file or a plugin's output makes the client raise
            raise _without_credentials(_one_line(error)) from None
        value = settings.get("BearerToken", {}).get("value")
        # Tokens come from files, and those tend to end in a newline.
        return str(value).strip() if value else None


def find_access(kubeconfig: str, master: str) -> Access:
    """The API server of a kubeconfig, with `master` as its address if given; else `master`; else the pod's cluster.

    Raises AccessError.
    """
    return Access(lambda: _load(kubeconfig, master))


def _load(kubeconfig: str, master: str) -> ClientConfig:
    if kubeconfig:
        loaded = _from_kubeconfig(kubeconfig)
    elif master:
        loaded = ClientConfig(_blank(), is_cheap=False)
    else:
        loaded = _from_cluster()
    configuration = loaded.configuration
    if master:
        configuration.host = _as_url(master, configuration)
    if not urlsplit(configuration.host).hostname:
        where = "--master" if master else f"kubeconfig {kubeconfig}: server"
        raise AccessError(
            f"{where}: {without_secrets(configuration.host)!r} is not a URL such as https://10.0.0.1:6443"
        )
    if not configuration.verify_ssl:
        _silence_insecure_warnings()
    return loaded


def _from_kubeconfig(path: str) -> ClientConfig:
    if not Path(path).is_file():
        raise AccessError(f"kubeconfig {path}: no such file")
    client = part().kube_config
    configuration = _blank()
    configuration.host = ""
    try:
        loader, user = _read_kubeconfig(client, path)
        if "auth-provider" in user:
            client = whole().kube_config
            loader, user = _read_kubeconfig(client, path)
        with _root_errors() as errors:
            loader.load_and_set(configuration)
    except (client.ConfigException, OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AccessError(f"kubeconfig {path}: {_one_line(error)}") from None
    runs_program = "exec" in user or "auth-provider" in user
    has_credentials = bool(configuration.api_key or configuration.cert_file)
    problem = f"kubeconfig {path}: {'; '.join(errors) or 'nothing for the user'}"
    return ClientConfig(configuration, not runs_program, problem if runs_program and not has_credentials else "")


def _read_kubeconfig(client: Any, path: str) -> tuple[Any, Any]:
    """The client's loader of a kubeconfig, and what it says of its user, as a mapping."""
    config = client.KubeConfigMerger(path).config
    loader = client.KubeConfigLoader(config_dict=config, config_base_path=None)
    named = loader.current_context["context"].get("user")
    user = config["users"].get_with_name(named, safe=True) if named else None
    return loader, user["user"] if user is not None else {}


def _from_cluster() -> ClientConfig:
    client = part().incluster_config
    if not all(os.environ.get(name) for name in _CLUSTER_VARIABLES):
        raise AccessError(_NO_CLUSTER)
    configuration = _blank()
    try:
        client.load_incluster_config(client_configuration=configuration)
    except (client.ConfigException, OSError) as error:
        raise AccessError(f"unable to load in-cluster configuration: {_one_line(error)}") from None
    return ClientConfig(configuration, is_cheap=True)


def _blank() -> Configuration:
    configuration = part().configuration.Configuration()
    configuration.socket_options = list(SOCKET_OPTIONS)
    return configuration


def _as_url(master: str, configuration: Configuration) -> str:
    """`--master` as a URL; without a scheme that is HTTPS if there is anything for TLS, as in client-go."""
    if "://" in master:
        return master
    uses_tls = configuration.ssl_ca_cert or configuration.cert_file or not configuration.verify_ssl
    return f"{'https' if uses_tls else 'http'}://{master}"


def _without_credentials(problem: str) -> ApiError:
    return ApiError(f"no credentials for the API server: {problem}", kind="credentials")


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, yaml.YAMLError):
        text = _QUOTED.sub("'...'", text)
    return text or type(error).__name__


def _silence_insecure_warnings() -> None:
    """Have urllib3 not warn at each request: the user chose insecure-skip-tls-verify, and is warned at the start."""
    urllib3 = importlib.import_module("urllib3")
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


@contextlib.contextmanager
def _root_errors() -> Iterator[list[str]]:
    """The errors that this thread logs with the root logger, as the client does when an exec plugin fails."""
    collector = _Collector()
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield collector.messages
    finally:
        root.removeHandler(collector)


class _Collector(logging.Handler):
    """Keeps the errors that the thread which made it logs with the root logger."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message, on one line."""
        if record.thread == self._thread and record.name == "root":
            self.messages.append(" ".join(record.getMessage().split()))
