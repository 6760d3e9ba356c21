"""Network namespaces to measure in: none of this touches the machine's own network."""

import multiprocessing
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import structlog

from bench.harness import settle
from e2e import netns
from e2e.lab import NAME_PREFIX
from e2e.netns import Namespace, Processes

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def namespace(label: str = "node") -> Iterator[Namespace]:
    """A fresh namespace, its loopback interface up; removed at the end with all that is in it."""
    name = f"{NAME_PREFIX}{os.getpid()}-{secrets.token_hex(2)}-{label}"
    processes = Processes()
    netns.create(name)
    try:
        yield Namespace(name=name, processes=processes)
    finally:
        processes.stop_all()
        netns.remove(name)
        settle()


def run_inside(name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `function` in a process of its own that is in the namespace `name`; return or raise what it does.

    The process begins with nothing in memory but what it imports, so that its size and speed are its own.
    """
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, initializer=_begin, initargs=(name,)) as process:
        return process.submit(function, *args, **kwargs).result()


def run_in_fresh(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The same in a namespace of its own."""
    with namespace() as node:
        return run_inside(node.name, function, *args, **kwargs)


def _begin(name: str) -> None:
    """What a measuring process does first: what the program logs would be in the way of the figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    netns.enter(name)
