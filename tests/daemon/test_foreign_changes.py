from itertools import count

from pykubeproxy.daemon.foreign_changes import ForeignChanges
from pykubeproxy.daemon.messages import ForeignChange

FIREWALLD = ForeignChange("firewalld", 17)


def test_a_known_program_is_remembered_while_time_goes_on() -> None:
    ticks = count()
    foreign = ForeignChanges(lambda: float(next(ticks)))
    foreign.note(ForeignChange())
    foreign.note(FIREWALLD)
    foreign.note(ForeignChange())
    foreign.note(ForeignChange("docker", 18))
    assert foreign.pending == FIREWALLD
