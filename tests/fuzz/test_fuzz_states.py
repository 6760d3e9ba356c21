"""A short run of the fuzzer; `make fuzz` is the long one. Every state is made from its number alone."""

from collections.abc import Iterator

import pytest

from fuzz.checks import CHECKS, kernel_check
from fuzz.kernel import Kernel, open_kernel, why_no_kernel
from fuzz.running import Run, run
from fuzz.states import make_state

STATES = {"meaning": range(150), "order": range(1000, 1150), "parsers": range(2000, 2060)}
IN_KERNEL = range(3000, 3006)

# What long runs have found, once.
FOUND = {"order": (3273,), "parsers": (9568,)}


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_found(check: str) -> None:
    numbers = STATES[check]
    assert told(run({check: CHECKS[check]}, numbers.start, len(numbers), print)) == ""


@pytest.mark.parametrize(
    ("check", "number"), [(check, number) for check, numbers in FOUND.items() for number in numbers]
)
def test_what_was_found_is_not_there_any_more(check: str, number: int) -> None:
    assert told(run({check: CHECKS[check]}, number, 1, print)) == ""


@pytest.fixture(name="kernel", scope="module")
def fixture_kernel() -> Iterator[Kernel]:
    lack = why_no_kernel()
    if lack is not None:
        pytest.skip(lack)
    with open_kernel() as its:
        yield its


def test_nothing_is_found_in_the_kernel(kernel: Kernel) -> None:
    check = kernel_check(kernel, 1)
    assert told(run({"kernel": check}, IN_KERNEL.start, len(IN_KERNEL), print)) == ""


def test_a_number_is_a_state() -> None:
    numbers = range(50)
    assert [make_state(number) for number in numbers] == [make_state(number) for number in numbers]
    assert len({str(make_state(number)) for number in numbers}) == len(numbers)


def told(done: Run) -> str:
    """What was found."""
    assert done.states or done.failures
    return "\n".join(map(str, done.failures))
