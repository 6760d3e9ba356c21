"""What the project promises, and the proof that each test of a promise would tell if it were broken.

    python -m tests.promises            breaks each promise in a copy of the project, and runs its test there
    python -m tests.promises --only hairpin

- promise: what a promise is; promises.yaml: all of them
- mutation, breaking: how one is broken
"""

from tests.promises.promise import read_promises

CHAPTERS = read_promises()
