"""What to leave out of the rules when the node refuses a Plan, so that everything else is written.

iptables-restore takes all rules of a table or none. Where its error names a rule, the Service that the rule belongs
to is set aside, or the Services that use the extension which the kernel lacks. Where it names only the COMMIT, each
extension that the Plan uses is done without in turn.
"""

from collections.abc import Collection

from pykubeproxy.daemon.sync.desired_rules import DesiredRules
from pykubeproxy.daemon.sync.set_aside import RefusedService, SetAside
from pykubeproxy.host.errors import RestoreError
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.diff import Plan, diff
from pykubeproxy.plan.live_services import live_services
from pykubeproxy.plan.refused import Blame, Extension, suspect, used_in
from pykubeproxy.rules.ruleset import Ruleset


class RefusalHandler:
    """Handles the refusals of one sync. A Service that is set aside keeps to the rules `before` the sync."""

    def __init__(self, desired: DesiredRules, before: Ruleset) -> None:
        self._desired = desired
        self._set_aside = desired.set_aside
        self._before = before
        self._trials: _ExtensionTrials | None = None

    def handle(self, error: RestoreError, plan: Plan, live: Ruleset) -> bool:
        """Leave out of the desired rules what may be the cause of `error`, which `plan`, made from `live`, met with.

        False if nothing is left that could be left out, or the error does not say what to leave out.
        """
        if error.text == "COMMIT":
            self._trials = self._trials or _ExtensionTrials(self._set_aside, used_in(plan))
            return self._try_without_next(self._trials, error, live)
        extension = suspect(str(error), error.text)
        if extension is not None:
            return self._do_without((extension,), error, plan)
        service = self._blame().service(error.text)
        if service is None or not self._put_aside({service}, str(error), ()):
            return False
        self._desired.apply_set_aside()
        return True

    def leave_out_missing(self, plan: Plan) -> bool:
        """Set aside the Services of which a Plan writes what the kernel is known to lack; True if there are any."""
        if not self._set_aside.missing:
            return False
        missing = [extension for extension in used_in(plan) if extension in self._set_aside.missing]
        cause = next((self._set_aside.missing[extension] for extension in missing), "")
        is_less = self._put_aside(self._blame().users(plan, missing), cause, missing)
        self._desired.apply_set_aside()
        return is_less

    def _try_without_next(self, trials: "_ExtensionTrials", error: RestoreError, live: Ruleset) -> bool:
        """Do without the next extension that may be what a refused COMMIT is about. False if none is left."""
        named = suspect(str(error), "")
        while missing := trials.next(named):
            self._desired.apply_set_aside()
            if self._do_without(missing, error, diff(self._desired.ruleset, live)):
                return True
        self._desired.apply_set_aside()
        return False

    def _do_without(self, missing: Collection[Extension], error: RestoreError, plan: Plan) -> bool:
        """Do without extensions: Services of which the Plan writes rules with them are set aside.

        False if that changes nothing.
        """
        for extension in missing:
            self._set_aside.lacks(extension, str(error))
        is_less = self._put_aside(self._blame().users(plan, missing), str(error), missing)
        return self._desired.apply_set_aside() or is_less

    def _blame(self) -> Blame:
        return Blame(self._desired.owners, self._before)

    def _put_aside(self, services: Collection[ServiceKey], cause: str, missing: Collection[Extension]) -> bool:
        """Keep Services to the rules that they had before; True if that makes any difference."""
        had = live_services(self._before, services)
        module = " or ".join(extension.module for extension in missing)
        changes = [
            self._set_aside.put(RefusedService(service=service, cause=cause, module=module), had.get(service))
            for service in sorted(services)
        ]
        return any(changes)


class _ExtensionTrials:
    """Finds the missing extension where no error names it: each one in `used` is done without, alone; at last all."""

    def __init__(self, set_aside: SetAside, used: tuple[Extension, ...]) -> None:
        self._set_aside = set_aside
        self._before = (dict(set_aside.services), dict(set_aside.held), dict(set_aside.missing))
        self._left = [*((extension,) for extension in used), *((used,) if len(used) > 1 else ())]

    def next(self, named: Extension | None) -> tuple[Extension, ...]:
        """What to do without now, in place of what was tried before; nothing once all has been tried.

        If the error has `named` one after all, it is that one.
        """
        if named is not None and named not in self._set_aside.missing:
            return (named,)
        self._set_aside.restore(*self._before)
        return self._left.pop(0) if self._left else ()
