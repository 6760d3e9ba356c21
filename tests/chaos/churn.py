"""Services that come, change and go: at random, and the same way for the same seed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.apiserver.server import ApiServer
from tests.chaos.bed import PODS, SEED, name, objects

FIRST, COUNT = 100, 30
RATE = 50


class Churn:
    """Changes to some Services, one after the other."""

    def __init__(self, api: ApiServer, random: Random) -> None:
        self._api = api
        self._random = random
        self._existing: set[int] = set()
        self.steps = 0

    def step(self) -> None:
        """Create a Service, give it other endpoints or ports, or delete it."""
        self.steps += 1
        number = FIRST + self._random.randrange(COUNT)
        if number in self._existing and self._random.random() < 0.2:
            self._existing.discard(number)
            for kind, its in (("Service", ""), ("EndpointSlice", "-ipv4"), ("EndpointSlice", "-ipv6")):
                self._api.delete(kind, "default", f"{name(number)}{its}")
            return
        self._existing.add(number)
        affinity = {"sessionAffinity": self._random.choice(["None", "ClientIP"])}
        self._api.load(objects(number, self._random.sample(PODS, self._random.randint(0, 3)), **affinity))


@contextmanager
def churning(api: ApiServer, seed: int = SEED, rate: float = RATE) -> Iterator[Churn]:
    """During the block, Services change so many times a second; a failure in it tells the seed."""
    churn = Churn(api, Random(seed))  # noqa: S311  it has to be repeatable
    is_over = threading.Event()
    errors: list[Exception] = []

    def change() -> None:
        begun = time.monotonic()
        try:
            while not is_over.wait(max(0.0, begun + churn.steps / rate - time.monotonic())):
                churn.step()
        except Exception as error:  # noqa: BLE001  it is raised where the block ends
            errors.append(error)

    thread = threading.Thread(target=change, name="churn")
    thread.start()
    try:
        yield churn
    except BaseException as error:
        error.add_note(f"PYKUBEPROXY_CHAOS_SEED={seed}")
        raise
    finally:
        is_over.set()
        thread.join()
    if errors:
        raise errors[0]
