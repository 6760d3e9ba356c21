"""What a pod of the DaemonSet finds on a node: an API server with the objects of examples/, and its mounted volumes.

    python -m tests.image.surroundings FOLDER

Writes into FOLDER: `config/` with the ConfigMap's files, `account/` with those of the service account, `api-server`
with the variables that lead to the API server, and `init` and `kube-proxy` with the command lines of the containers of
these names, one word on a line; and for each way to log in, such as `exec`, a folder with a `kubeconfig`. Prints
`ready`, and serves until SIGTERM or SIGINT.
"""

import signal
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

from tests.apiserver.kubeconfig import Auth
from tests.apiserver.server import ApiServer
from tests.manifests.reading import containers, the

EXAMPLES = Path(__file__).parents[2] / "examples"
NODE = "node-a"
AUTHS: tuple[Auth, ...] = ("token-file", "exec", "client-certificate")


def main(folder: Path) -> None:
    """Serve until told to stop."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with ApiServer() as server:
        server.load(EXAMPLES)
        server.service_account(folder / "account")
        for auth in AUTHS:
            (folder / auth).mkdir()
            server.kubeconfig(folder / auth / "kubeconfig", auth=auth)
        config = folder / "config"
        config.mkdir()
        for name, text in the("ConfigMap")["data"].items():
            (config / name).write_text(text)
        for container in containers():
            words = [word.replace("$(NODE_NAME)", NODE) for word in container["command"]]
            (folder / container["name"]).write_text("".join(f"{word}\n" for word in words))
        url = urlsplit(server.url)
        variables = f"KUBERNETES_SERVICE_HOST={url.hostname}\nKUBERNETES_SERVICE_PORT={url.port}\n"
        (folder / "api-server").write_text(variables)
        print("ready", flush=True)  # noqa: T201
        stopped.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
