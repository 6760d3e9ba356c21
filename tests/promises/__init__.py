"""What the project promises, and the proof that each test of a promise would tell if it were broken.

    python -m tests.promises            breaks each promise in a copy of the project, and runs its test there
    python -m tests.promises --only hairpin

- promise: what a promise is; of_services, of_faults, of_rules, of_security: all of them
- breaking: how one is broken
"""

from tests.promises import of_faults, of_rules, of_security, of_services
from tests.promises.promise import Promise

CHAPTERS: dict[str, tuple[Promise, ...]] = {
    "Services": of_services.PROMISES,
    "Rules, and what is said about them": of_rules.PROMISES,
    "Faults": of_faults.PROMISES,
    "Security": of_security.PROMISES,
}
