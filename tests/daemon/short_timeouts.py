"""`kube-proxy`, or `pykubeproxy` if the first argument is `run`, with short time-outs: for tests that await its end."""

import sys
from functools import partial
from unittest.mock import patch

from pykubeproxy.cli import daemon_settings, kube_proxy, main
from pykubeproxy.cluster.timeouts import Backoff, Timeouts
from pykubeproxy.daemon.setup.run_settings import DaemonTimeouts

LITTLE = DaemonTimeouts(
    once=1.0,
    pod_cidrs=1.5,
    api=Timeouts(connect=1.0, silence=1.5, list_silence=1.0),
    backoff=Backoff(probe_interval=0.3, initial=0.1, maximum=0.5, stable_after=0.5),
)

if __name__ == "__main__":
    with patch.object(daemon_settings, "DaemonTimeouts", partial(lambda its: its, LITTLE)):
        command = main.main if sys.argv[1:2] == ["run"] else kube_proxy.main
        command()
