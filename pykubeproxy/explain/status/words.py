"""The words for what was found out about a node: what is the case, and, where that is not well, what to do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from pykubeproxy.explain.notes import ipvs_leftovers, ipvs_removal
from pykubeproxy.explain.status.nftables_words import move_texts
from pykubeproxy.explain.status.observations import Observation, Topic, of_kernel, of_proxy, of_rules
from pykubeproxy.explain.status.observations.of_rules import FamilyTime
from pykubeproxy.explain.status.published import RefusedRules
from pykubeproxy.model.ip import Family
from pykubeproxy.model.printable import printable
from pykubeproxy.plan.sysctls import FORWARDING
from pykubeproxy.rules.options import RejectUnused

_NAMED = 3
_PROGRAMS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_AS_ROOT = "run it with sudo"
_SEE_DIFF = "see `pykubeproxy diff`"
_SEE_LOG = "its log says more"
_RAISE_LIMIT = "raise conntrack.min"


class Words(NamedTuple):
    """What is the case, and what to do about it: nothing if that is well."""

    says: str
    advice: str = ""


def words(observation: Observation) -> Words:
    """The words for an observation. What others have said is in them, so control characters are shown as escapes."""
    return Words(*map(printable, _OF_TOPIC[observation.topic](observation)))


def duration_text(seconds: float) -> str:
    """A length of time in its two largest units: `850 ms`, `12 s`, `3 h 12 min`."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    left, parts = round(seconds), list[tuple[int, str]]()
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)


def _of_proxy(observation: Observation) -> Words:  # noqa: PLR0911  one case for each kind
    match observation:
        case of_proxy.OnlyShadowRuns():
            says = f"{_process(observation)}, in shadow mode: no proxy that writes rules is to be seen"
            return Words(says, "run it without --dry-run, or start kube-proxy again")
        case of_proxy.ShadowRuns():
            says = f"{_process(observation)}, in shadow mode: another proxy writes the rules"
            return Words(says, f"{_SEE_DIFF} for what it would do")
        case of_proxy.ProxyRuns():
            return Words(_process(observation))
        case of_proxy.SeveralProxies(processes=processes):
            says = f"{len(processes)} Service proxies write rules here: {'; '.join(processes)}"
            return Words(says, "stop all but one: they undo each other's work")
        case of_proxy.OtherOwner(address=address, owner=owner):
            who = "somebody unknown" if owner is None else f"user {owner}"
            says = f"the server at {address}, which says all this, belongs to {who}"
            return Words(says, "believe it only if that is who the proxy runs as")
        case of_proxy.OtherMode(mode=mode):
            command = "ipvsadm -Ln" if mode == "ipvs" else "nft list ruleset"
            return Words(f"it works in {mode} mode, of which little is known here", f"for its rules see `{command}`")
    return _of_no_answer(observation)


def _of_no_answer(observation: Observation) -> Words:  # noqa: PLR0911  one case for each kind
    match observation:
        case of_proxy.NoProxyRuns():
            start = "start one, such as `pykubeproxy run`; on a cluster: `kubectl -n kube-system get pods -o wide`"
            if observation.silent or observation.foreign:
                start = (
                    "see whose process that is with `ss -ltnp`: a proxy in a container is not seen, and may be stopped"
                )
            return Words(f"none runs here{_no_answer(observation, ', and ')}", start)
        case of_proxy.ProxyDoesNotAnswer(process=process):
            hint = "is it only starting? Else give the address of its metrics server with --metrics-bind-address"
            return Words(f"{process} runs{_no_answer(observation, ', but ')}", hint)
        case of_proxy.ProxyMayBeElsewhere(process=process):
            says = f"{process} runs, perhaps in another network namespace{_no_answer(observation, '; ')}"
            return Words(says, _AS_ROOT)
        case of_proxy.ProxyEnded(process=ended):
            parent = f"{ended.parent_name} (pid {ended.parent_pid})"
            says = f"{ended.name} (pid {ended.pid}) has ended, and its parent {parent} does not notice (a zombie)"
            return Words(says, f"its log says why; restart {parent}, which should start it again")
        case of_proxy.ProxyStuck(process=process, pid=pid, state="T"):
            return Words(f"{process} does not answer: it is stopped", f"`kill -CONT {pid}`")
        case of_proxy.ProxyStuck(process=process, state="t"):
            return Words(f"{process} does not answer: a debugger has stopped it", "end the debugger")
        case of_proxy.ProxyStuck(process=process, pid=pid, state=state):
            says = f"{process} does not answer: it waits within the kernel (state {state})"
            return Words(says, f"`cat /proc/{pid}/stack` shows for what: often a disk or a network file system")
    raise TypeError(observation)


def _of_answer(observation: Observation) -> Words:
    match observation:
        case of_proxy.Healthy():
            return Words("healthy, and the node may get new traffic")
        case of_proxy.Unhealthy(address=address):
            return Words(f"unhealthy, says {address}: a sync is overdue", f"see its last sync below; {_SEE_LOG}")
        case of_proxy.NotEligible(address=address):
            says = f"healthy, but the node is to get no new traffic, says {address}: it is not known, or about to go"
            return Words(says, "see `kubectl describe node`: its taints, its deletion, or its name")
        case of_proxy.HealthNotServed(address=address):
            hint = "load balancers ask there: set healthzBindAddress, or name its address with --healthz-bind-address"
            return Words(f"nobody answers /healthz at {address or 'any address'}", hint)
        case of_proxy.Configured(file=file):
            return Words(file or "command line only")
        case of_proxy.OptionsOn(reject_unused=unused, end_established_tcp=ends):
            options = (
                f"--reject-unused-ports {unused}" * (unused != RejectUnused.NONE),
                "--end-established-tcp" * ends,
            )
            return Words(f"with {_and([*filter(None, options)])}")
    raise TypeError(observation)


def _of_objects(observation: Observation) -> Words:
    match observation:
        case of_proxy.FollowsManifests(path=path):
            return Words(f"files in {path}")
        case of_proxy.FollowsApi(server=server):
            return Words(f"API server {server}, reached")
        case of_proxy.ApiAway(server=server, seconds=seconds, error=error):
            hint = "the rules in force stay, but changes do not come in: see to the API server, or the way to it"
            return Words(f"API server {server} cannot be followed for {duration_text(seconds)}: {error}", hint)
        case of_proxy.WaitsForObjects(kinds=kinds):
            named = ", ".join(kinds)
            hint = f"see that the API server is reached, and allows to list and watch {named}; {_SEE_LOG}"
            return Words(f"nothing is synced yet: it waits for {named}", hint)
        case of_proxy.ObjectsUnread(unread=unread):
            says = f"not all are known, so nothing is removed: {'; '.join(unread)}"
            return Words(says, "mend or remove what is named; it is read again as soon as it changes")
    raise TypeError(observation)


def _of_node(observation: Observation) -> Words:  # noqa: PLR0911  one case for each kind
    match observation:
        case of_proxy.BackendUsed(backend=backend, tools=tools):
            return Words(f"{backend} ({', '.join(tools)})")
        case of_proxy.BothBackendsUsed(family=family, wrong=wrong):
            says = f"both backends hold chains of a Service proxy ({family}), and packets pass through both"
            first = "find out which one the node uses (`pykubeproxy version`), and clean up the other"
            if wrong is None:
                return Words(says, f"{first}: {_cleanup('OTHER')}")
            # Without --force, `cleanup` stops, since a proxy runs: the one that uses the other backend.
            return Words(says, f"remove the idle ones: {_cleanup(f'{wrong} --force')}")
        case of_proxy.NoTools(problem=problem):
            return Words(problem, "install the package iptables; if it is there, run this with sudo")
        case of_proxy.LayoutUsed(dispatch=dispatch, commit=commit):
            return Words(dispatch + (", always committed as a whole" if commit == "single" else ""))
        case of_proxy.NodeKnown(name=name, addresses=addresses):
            return Words(f"{name} ({', '.join(addresses)})")
        case of_proxy.NoAddress(name=name):
            hint = "give the node an address, or a Node object with one"
            return Words(f"{name}, with no address by which others could know it", hint)
        case of_proxy.FamiliesServed(families=families, services=services, why_not_ipv6=why):
            count = "" if services is None else f"; {_count(services, 'Service')}"
            return Words(f"{_and(families)}{count}{f'; {why}' if why else ''}")
    raise TypeError(observation)


def _of_syncs(observation: Observation) -> Words:  # noqa: PLR0911  one case for each kind
    match observation:
        case of_rules.LastSyncs(times=times, is_mean=is_mean):
            return Words(", ".join(_time(each, is_mean=is_mean) for each in times))
        case of_rules.NeverSynced(families=families):
            of = f" ({_and(families)})" if any(families) else ""
            return Words(f"never yet{of}", f"is it only starting? Else {_SEE_LOG}")
        case of_rules.SyncFails(family=family, seconds=seconds, error=error):
            says = f"{family} fails for {duration_text(seconds)}: {error}; the rules in force stay"
            return Words(says, f"it is tried again; {_SEE_LOG}")
        case of_rules.RestoresFailed(count=count):
            says = f"iptables-restore has refused {_count(count, 'input')} since the proxy was started"
            return Words(says, f"if it goes up, {_SEE_LOG}")
        case of_rules.NoDrift(seconds=seconds):
            return Words(f"no other program has changed the rules for {duration_text(seconds)}")
        case of_rules.KeepsDrifting(program=program):
            hint = f"stop {program or 'the program that does it'}, or keep it away from chains that begin with KUBE-"
            return Words(f"{_drift(observation)}, again and again", hint)
        case of_rules.Drifted(program=program):
            hint = f"it was repaired; keep {program or 'other programs'} away from chains that begin with KUBE-"
            return Words(_drift(observation), hint)
    raise TypeError(observation)


def _of_rules(observation: Observation) -> Words:  # noqa: PLR0911  one case for each kind
    match observation:
        case of_rules.InSync(families=families):
            return Words(f"in sync ({_and(families)})")
        case of_rules.WouldChange(family=family, chains=chains, rules=rules):
            says = f"{family}: {_count(chains, 'chain')} and {_count(rules, 'rule')} would be changed"
            return Words(says, f"{_SEE_DIFF} for what they are")
        case of_rules.ServicesRefused(family=family, count=count, services=services):
            modules = sorted({each.module for each in services if each.module})
            says = f"the node refuses the {family} rules of {_refused(count, services)}"
            return Words(says, _modprobe(modules) if modules else f"the others are served; {_SEE_LOG}")
        case of_rules.RulesMissing(family=family, backend=backend):
            says = f"there are no {family} chains of a Service proxy in the {backend} tables"
            return Words(says, f"somebody has flushed them: they come back within a second; if not, {_SEE_LOG}")
        case of_rules.RulesWithoutProxy(families=families):
            says = f"rules are in force ({_and(families)}), and nothing keeps them up to date"
            return Words(says, "start a proxy, or remove them with `pykubeproxy cleanup`")
        case of_rules.NoRules():
            return Words("none of a Service proxy", "start a proxy")
        case of_rules.RulesNotCompared():
            return Words(
                "kube-proxy does not say whether they are in force", "`pykubeproxy diff --dispatch linear` does"
            )
        case of_rules.RulesNotLookedAt():
            return Words("not looked at: only root may", _AS_ROOT)
    raise TypeError(observation)


def _of_endpoints(observation: Observation) -> Words:
    match observation:
        case of_rules.PortsRefuse(families=families, count=count):
            says = f"none for {_count(count, 'port')} of Services: connections are refused{_in(families)}"
            hint = "`pykubeproxy services | grep 'no endpoints'` names them; it may be meant, as of pods scaled to none"
            return Words(says, hint)
        case of_rules.PortsDrop(families=families, count=count):
            why = "connections that must stay on it (policy Local) are dropped"
            return Words(f"none on this node for {_count(count, 'port')} of Services: {why}{_in(families)}")
    raise TypeError(observation)


def _of_connections(observation: Observation) -> Words:
    match observation:
        case of_kernel.TableUsed(entries=entries, limit=limit):
            use = f"{entries:,} of {limit:,} ({entries / max(limit, 1):.0%})"
            now = f"`sysctl -w net.netfilter.nf_conntrack_max={2 * limit}`"
            raise_it = f"{_RAISE_LIMIT}, or now: {now}; `pykubeproxy top` shows who opens many"
            match observation:
                case of_kernel.TableFull():
                    return Words(f"{use}: packets of new connections are dropped, or soon will be", raise_it)
                case of_kernel.TableNearlyFull():
                    return Words(f"{use}: nearly full", raise_it)
            return Words(use)
        case of_kernel.PacketsDropped(count=count):
            says = f"{_count(count, 'packet')} of new connections dropped since boot, for lack of room in the table"
            return Words(says, f"if it goes up, {_RAISE_LIMIT}")
        case of_kernel.TableUnknown():
            return Words("the kernel does not say how full its table is", "`modprobe nf_conntrack`")
    raise TypeError(observation)


def _of_kernel(observation: Observation) -> Words:
    match observation:
        case of_kernel.Forwards(families=families):
            return Words(f"forwarding is on ({_and(families)})")
        case of_kernel.ForwardingOff(family=family):
            name = FORWARDING[family].replace("/", ".")
            says = f"{name} is 0: {family} packets of pods and of other machines are not forwarded"
            return Words(says, f"`sysctl -w {name}=1`")
        case of_kernel.ForwardDrops(family=family, backend=backend):
            says = (
                f"policy DROP of chain FORWARD ({family}, {backend}): packets reach pods only where a rule accepts them"
            )
            tool = f"{_PROGRAMS[family]}-{backend}"
            trace = "`pykubeproxy trace --from POD-IP --to NAMESPACE/NAME` tells if the pod network's plugin has one"
            return Words(says, f"{trace}; else `{tool} -P FORWARD ACCEPT`")
        case of_kernel.SettingsMade(count=count):
            return Words(f"{_count(count, 'setting')} as configured")
        case of_kernel.SettingsNotLookedAt(names=names):
            return Words(f"not looked at: {', '.join(names)}, which only root may read", _AS_ROOT)
        case of_kernel.SettingDiffers(setting=setting):
            current = "cannot be read" if setting.current is None else f"is {setting.current}"
            name, wanted = setting.name, setting.wanted
            is_path = name.startswith("/")
            hint = f"`echo {wanted} > {name}`" if is_path else f"`sysctl -w {name.replace('/', '.')}={wanted}`"
            return Words(f"{name} {current}, and the configuration asks for {wanted}", f"on the machine itself: {hint}")
    raise TypeError(observation)


def _of_others(observation: Observation) -> Words:  # noqa: PLR0911  one case for each kind
    match observation:
        case of_kernel.NoNativeTables():
            return Words("none has rules")
        case of_kernel.NativeTables(tables=tables):
            says = f"packets pass through {', '.join(map(str, tables))}"
            return Words(says, f"`{tables[0].command}` shows what that does; diff and trace do not look at it")
        case of_kernel.TablesNotLookedAt():
            return Words("not looked at, whether nftables has any: only root may", _AS_ROOT)
        case of_kernel.NoLeftovers():
            return Words("none of kube-proxy's other modes")
        case of_kernel.NftablesLeft(tables=tables):
            titles = ", ".join(table.title for table in tables)
            says = f"{titles} of kube-proxy's nftables mode, which takes connections first"
            delete = "; ".join(f"nft delete {table.title}" for table in tables)
            return Words(says, f"`{delete}`; `pykubeproxy run` does so when it starts")
        case of_kernel.IpvsLeft(leftovers=leftovers):
            says = f"{'; '.join(ipvs_leftovers(leftovers))} of kube-proxy's ipvs mode"
            return Words(says, f"`{ipvs_removal(leftovers)}`")
        case of_kernel.LeftoversNotLookedAt():
            return Words("not looked at, what other modes may have left: only root may", _AS_ROOT)
    raise TypeError(observation)


def _of_move(observation: Observation) -> Words:
    return Words(*move_texts(observation))


_OF_TOPIC: Mapping[Topic, Callable[[Observation], Words]] = {
    Topic.PROXY: _of_proxy,
    Topic.HEALTH: _of_answer,
    Topic.CONFIGURATION: _of_answer,
    Topic.OBJECTS: _of_objects,
    Topic.BACKEND: _of_node,
    Topic.LAYOUT: _of_node,
    Topic.NODE: _of_node,
    Topic.FAMILIES: _of_node,
    Topic.LAST_SYNC: _of_syncs,
    Topic.DRIFT: _of_syncs,
    Topic.RULES: _of_rules,
    Topic.ENDPOINTS: _of_endpoints,
    Topic.CONNECTIONS: _of_connections,
    Topic.KERNEL: _of_kernel,
    Topic.TABLES: _of_others,
    Topic.LEFTOVERS: _of_others,
    Topic.KERNEL_VERSION: _of_move,
    Topic.NODE_PORTS: _of_move,
    Topic.LOCALHOST: _of_move,
    Topic.INVALID: _of_move,
    Topic.FIREWALL: _of_move,
    Topic.OTHER_RULES: _of_move,
    Topic.OPTIONS: _of_move,
}


def _process(runs: of_proxy.ProxyRuns) -> str:
    pid = "" if runs.pid is None else f", pid {runs.pid}"
    return f"{runs.program}{pid}{'' if runs.seconds is None else f', for {duration_text(runs.seconds)}'}"


def _no_answer(
    found: of_proxy.NoProxyRuns | of_proxy.ProxyDoesNotAnswer | of_proxy.ProxyMayBeElsewhere, joint: str
) -> str:
    """What happened at each address that was asked, as the rest of a sentence that begins with `joint` (`, but `)."""
    nobody = [address for address in found.asked if address not in (*found.silent, *found.foreign)]
    parts = [f"nothing answers at {' or '.join(nobody)}"] if nobody else []
    parts += [f"{address} takes connections, and does not answer in time" for address in found.silent]
    parts += [f"what answers at {address} is no Service proxy" for address in found.foreign]
    return f"{joint}{'; '.join(parts)}" if parts else ""


def _time(time: FamilyTime, *, is_mean: bool) -> str:
    took = "" if time.took is None else f" in {duration_text(time.took)}{' on average' if is_mean else ''}"
    return f"{time.family}{' ' if time.family else ''}{duration_text(time.seconds)} ago{took}"


def _refused(count: int, services: Sequence[RefusedRules]) -> str:
    named = ", ".join(each.service for each in services[:_NAMED])
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    return f"{named}{more}: {services[0].cause}" if services else _count(count, "Service")


def _in(families: Sequence[str]) -> str:
    return f" ({_and(families)})" if families else ""


def _drift(drifted: of_rules.Drifted) -> str:
    who = f"{drifted.program} (pid {drifted.pid})" if drifted.pid else drifted.program or "an unknown program"
    chains = ", ".join(drifted.chains[:_NAMED])
    more = f" and {drifted.chain_count - _NAMED} more" if drifted.chain_count > _NAMED else ""
    times = "once" if drifted.times == 1 else f"{drifted.times} times"
    return f"{who} changed rules {times}, {duration_text(drifted.seconds)} ago: {chains}{more}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _and(names: Iterable[str]) -> str:
    return " and ".join(names)


def _cleanup(backend: str) -> str:
    return f"`pykubeproxy cleanup --backend {backend}`"


def _modprobe(modules: Sequence[str]) -> str:
    return f"load the kernel {'module' if len(modules) == 1 else 'modules'}: `modprobe -a {' '.join(modules)}`"
