"""Ten thousand events at once: they are taken in, and take no more memory the second time than the first."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from tests.apiserver import testing
from tests.chaos.bed import PODS, Bed, cluster_ips

EVENTS = 10_000
SERVICES = 1000


def test_nobody_notices_ten_thousand_events(any_bed: Bed, figure: Callable[[str, object], None]) -> None:
    bed = any_bed
    bed.start()
    memory, seconds = [], []
    with bed.unharmed() as sent:
        for burst in range(1, 4):
            begun = time.monotonic()
            inject(bed, burst)
            bed.load(2, PODS[burst])
            bed.wait_answer(cluster_ips(2)[0], PODS[burst].name)
            bed.wait_in_sync()
            seconds.append(round(time.monotonic() - begun, 1))
            memory.append(peak_memory(bed.pid))
        bed.wait_converged()
    assert memory[2] < 1.3 * memory[0], "what has been taken in takes no memory any more"
    figure("seconds until 10,000 events are in force", seconds)
    figure("peak memory in MB after each burst", [round(each / 1e6) for each in memory])
    figure("connections meanwhile", sent.asked)


def inject(bed: Bed, burst: int) -> None:
    """All Services, and then their endpoints as often as it takes."""
    changes = (EVENTS - SERVICES) // SERVICES
    for number in range(SERVICES):
        name = f"many-{number}"
        service = testing.service(name, clusterIP=f"10.97.{number // 250}.{number % 250 + 1}")
        service["metadata"]["generation"] = burst
        service["spec"]["clusterIPs"] = [service["spec"]["clusterIP"]]
        bed.api.inject(service | {"spec": service["spec"] | {"ipFamilies": ["IPv4"], "type": "ClusterIP"}})
    for change in range(changes):
        for number in range(SERVICES):
            pod = f"10.244.{(burst + change) % 2}.{number % 200 + 20}"
            bed.api.inject(testing.endpoint_slice(f"many-{number}", pod))


def peak_memory(pid: int) -> int:
    """The most memory that a process has ever held, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
