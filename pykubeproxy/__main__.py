"""`python -m pykubeproxy`, the same as the console script."""

from pykubeproxy.cli.main import main

if __name__ == "__main__":
    main()
