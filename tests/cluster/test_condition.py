"""One line per change of state."""

from pykubeproxy.cluster.condition import Condition
from pykubeproxy.cluster.trouble import Trouble


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.condition = Condition(self.lines.append, lambda: self.lines.append("good"), settled=10.0)

    def fail(self, kind: str, now: float) -> None:
        self.condition.failed(Trouble(f"{kind} at {now:g}", kind=kind), now)


def test_what_works_from_the_start_is_not_told() -> None:
    log = Log()
    log.condition.works(0)
    assert (log.lines, log.condition.trouble) == ([], None)


def test_every_attempt_fails_and_one_line_says_so() -> None:
    log = Log()
    for now in range(5):
        log.fail("refused", now)
    assert log.lines == ["refused at 0"]
    assert str(log.condition.trouble) == "refused at 0"
    log.condition.works(6)
    log.condition.works(7)
    assert log.lines == ["refused at 0", "good"]
    assert log.condition.trouble is None


def test_another_kind_of_trouble_is_another_state() -> None:
    log = Log()
    log.fail("refused", 0)
    log.fail("status 503", 1)
    log.fail("status 503", 2)
    assert log.lines == ["refused at 0", "status 503 at 1"]


def test_what_works_for_a_moment_again_and_again_is_told_once() -> None:
    log = Log()
    for now in range(0, 50, 2):
        log.fail("garbage", now)
        assert log.condition.trouble is not None
        log.condition.works(now + 1)
    assert log.lines == ["garbage at 0", "good"]


def test_what_has_worked_for_a_while_is_told_when_it_fails_again() -> None:
    log = Log()
    log.fail("garbage", 0)
    log.condition.works(1)
    log.fail("garbage", 20)
    assert log.lines == ["garbage at 0", "good", "garbage at 20"]
