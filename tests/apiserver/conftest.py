"""The fixtures of the API server, for its own tests."""

from tests.apiserver.fixtures import *  # noqa: F403
