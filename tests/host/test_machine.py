"""CPUs and the OOM score."""

import os
from pathlib import Path

import pytest

from pykubeproxy.host.machine import OomScoreError, online_cpus, set_oom_score_adj


@pytest.mark.parametrize(("text", "cpus"), [("0\n", 1), ("0-3\n", 4), ("0-3,8,10-11\n", 7)])
def test_online_cpus(tmp_path: Path, text: str, cpus: int) -> None:
    (tmp_path / "online").write_text(text)
    assert online_cpus(tmp_path / "online") == cpus


@pytest.mark.parametrize("text", [None, "", "all"])
def test_cpus_of_the_process_where_the_machines_are_not_known(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "online").write_text(text)
    assert online_cpus(tmp_path / "online") == os.cpu_count()


def test_oom_score(tmp_path: Path) -> None:
    slept: list[float] = []
    set_oom_score_adj(-999, tmp_path / "oom_score_adj", slept.append)
    assert (tmp_path / "oom_score_adj").read_text() == "-999\n"
    assert slept == []


def test_oom_score_at_the_second_try(tmp_path: Path) -> None:
    path = tmp_path / "not yet" / "oom_score_adj"
    set_oom_score_adj(-999, path, lambda _: path.parent.mkdir())
    assert path.read_text() == "-999\n"


def test_oom_score_fails_after_two_tries(tmp_path: Path) -> None:
    slept: list[float] = []
    with pytest.raises(OomScoreError, match=r"cannot set .*: No such file or directory: CAP_SYS_RESOURCE is needed"):
        set_oom_score_adj(-999, tmp_path / "missing" / "oom_score_adj", slept.append)
    assert slept == [0.1]
