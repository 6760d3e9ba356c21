"""Where the programs `pykubeproxy` (also as `python -m pykubeproxy`), `kube-proxy` and `kubectl-pykubeproxy` begin.

Nothing is loaded before Ctrl-C is taken care of: loading the commands takes some tenths of a second.
"""

from pykubeproxy.cli.interrupts import end_at_once


def main() -> None:
    """The program `pykubeproxy`."""
    end_at_once()
    from pykubeproxy.cli.main import main as command  # noqa: PLC0415

    command()


def kube_proxy() -> None:
    """The program `kube-proxy`."""
    end_at_once()
    from pykubeproxy.cli.kube_proxy import main as command  # noqa: PLC0415

    command()


def kubectl_plugin() -> None:
    """The program `kubectl-pykubeproxy`."""
    end_at_once()
    from pykubeproxy.cli.kubectl_plugin import main as command  # noqa: PLC0415

    command()


if __name__ == "__main__":
    main()
