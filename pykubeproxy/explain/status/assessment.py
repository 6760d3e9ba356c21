"""From what was found out about a node to what there is to say about it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pykubeproxy.explain.status.node_state import KernelState, KubeProxyMetrics, NodeState, ProxyAnswer
from pykubeproxy.explain.status.observations import Level, Observation, Topic, of_kernel, of_proxy, of_rules
from pykubeproxy.explain.status.observations.of_rules import FamilyTime
from pykubeproxy.explain.status.published import FamilySync, ObjectSource, ProxyStatus, Repair
from pykubeproxy.model.ip import Family, parse_ip
from pykubeproxy.rules.options import RejectUnused

# What is this long ago, in seconds, is of no interest any more; what happens so often in a minute goes on and on.
_OF_LATE = 3600.0
_MINUTE = 60.0
_OFTEN = 4

# Shares of the table of connections.
_NEARLY_FULL = 0.80
_FULL = 0.95

_IPTABLES, _NFTABLES, _IPVS = "iptables", "nftables", "ipvs"
_LINEAR = "linear"

# proc_pid_stat(5): an uninterruptible sleep.
_WAITS_IN_KERNEL = "D"


def assess(state: NodeState) -> tuple[Observation, ...]:
    """All there is to say, in the order of the screen."""
    found = (*_of_proxy(state), *_of_answer(state), *_of_node(state), *_of_rules(state), *_of_kernel(state))
    order = list(Topic)
    return tuple(sorted(found, key=lambda each: order.index(each.topic)))


def exit_status(observations: Sequence[Observation]) -> int:
    """What `check` exits with: 1 if anything is wrong; else 2 if it is not known whether the rules are; else 0."""
    if any(each.level is Level.BAD for each in observations):
        return 1
    decisive = (Topic.PROXY, Topic.RULES)
    return 2 if any(each.level is Level.UNKNOWN and each.topic in decisive for each in observations) else 0


def _of_proxy(state: NodeState) -> Iterator[Observation]:
    """Which proxies run."""
    if state.answer is not None:
        yield _running(state, state.answer)
        if not state.answer.is_trusted:
            yield of_proxy.OtherOwner(address=state.answer.address, owner=state.answer.owner)
        if (mode := _mode(state.answer)) != _IPTABLES:
            yield of_proxy.OtherMode(mode=mode)
    else:
        yield from _unanswered(state)
    for each in state.processes:
        if each.is_stopped or (each.state == _WAITS_IN_KERNEL and state.answer is None):
            yield of_proxy.ProxyStuck(process=each.title, pid=each.pid, state=each.state)
    writers = [process.title for process in state.processes if process.is_here and not process.is_shadow]
    if len(writers) > 1:
        yield of_proxy.SeveralProxies(processes=tuple(writers))


def _unanswered(state: NodeState) -> Iterator[Observation]:
    """Observations where no proxy answers. Processes that are stopped, or wait in the kernel, are left out."""
    asked, silent, foreign = state.asked, state.silent, state.foreign
    if not state.processes:
        yield of_proxy.NoProxyRuns(asked=asked, silent=silent, foreign=foreign)
    for ended in state.ended:
        yield of_proxy.ProxyEnded(process=ended)
    for process in [each for each in state.processes if not each.is_stopped and each.state != _WAITS_IN_KERNEL][:1]:
        kind = of_proxy.ProxyMayBeElsewhere if process.is_here is None else of_proxy.ProxyDoesNotAnswer
        yield kind(process=process.title, asked=asked, silent=silent, foreign=foreign)


def _running(state: NodeState, answer: ProxyAnswer) -> Observation:
    pid = state.process.pid if state.process is not None else None
    if answer.status is None:
        started = state.process.started_at if state.process is not None else None
        started = (answer.metrics.started_at if answer.metrics is not None else None) or started
        version = answer.metrics.version if answer.metrics is not None else "of unknown version"
        seconds = None if started is None else _since(state, started)
        return of_proxy.ProxyRuns(program=f"kube-proxy {version}", pid=pid, seconds=seconds)
    kind = of_proxy.ProxyRuns
    if answer.status.is_shadow:
        others = state.writer_address or [process for process in state.processes if not process.is_shadow]
        kind = of_proxy.ShadowRuns if others else of_proxy.OnlyShadowRuns
    return kind(
        program=answer.status.program,
        pid=pid,
        seconds=_since(state, answer.status.started_at),
    )


def _since(state: NodeState, moment: float) -> float:
    """Seconds from a moment to now. Clocks are set now and then."""
    return max(state.time - moment, 0.0)


def _of_answer(state: NodeState) -> Iterator[Observation]:
    """What the proxy that runs says of itself, but for its rules."""
    answer = state.answer
    if answer is None:
        return
    if answer.health is None:
        yield of_proxy.HealthNotServed(address=answer.health_address)
    elif not answer.health.is_healthy:
        yield of_proxy.Unhealthy(address=answer.health_address)
    elif not answer.health.is_eligible:
        yield of_proxy.NotEligible(address=answer.health_address)
    else:
        yield of_proxy.Healthy(address=answer.health_address)
    if answer.status is not None:
        yield of_proxy.Configured(file=answer.status.config_file)
        if answer.status.reject_unused != RejectUnused.NONE or answer.status.end_established_tcp:
            yield of_proxy.OptionsOn(
                reject_unused=answer.status.reject_unused, end_established_tcp=answer.status.end_established_tcp
            )
        yield _objects(state, answer.status.source)
        yield of_proxy.LayoutUsed(dispatch=answer.status.dispatch, commit=answer.status.commit)
        yield from _syncs(state, answer.status)
    elif answer.metrics is not None:
        if state.process is not None:
            yield of_proxy.Configured(file=state.process.value_of("config") or "")
        if _mode(answer) == _IPTABLES:
            yield of_proxy.LayoutUsed(dispatch=_LINEAR, commit="")
            yield from _mean_syncs(state, answer.metrics)


def _objects(state: NodeState, source: ObjectSource) -> Observation:
    if source.api_outage is not None:
        seconds = _since(state, source.api_outage.since)
        return of_proxy.ApiAway(server=source.server, seconds=seconds, error=source.api_outage.error)
    if source.waits_for:
        return of_proxy.WaitsForObjects(kinds=source.waits_for)
    if source.unread:
        return of_proxy.ObjectsUnread(unread=source.unread)
    if source.manifests:
        return of_proxy.FollowsManifests(path=source.manifests)
    return of_proxy.FollowsApi(server=source.server)


def _syncs(state: NodeState, status: ProxyStatus) -> Iterator[Observation]:
    times = [
        FamilyTime(its.family, _since(state, its.synced_at), its.seconds)
        for its in status.families
        if its.synced_at is not None
    ]
    if times:
        yield of_rules.LastSyncs(times=tuple(times))
    for its in status.families:
        if its.failing_since is not None:
            yield of_rules.SyncFails(family=its.family, seconds=_since(state, its.failing_since), error=its.error)
    never = tuple(its.family for its in status.families if its.synced_at is None and its.failing_since is None)
    if never:
        yield of_rules.NeverSynced(families=never)


def _mean_syncs(state: NodeState, metrics: KubeProxyMetrics) -> Iterator[Observation]:
    times = [
        FamilyTime(family, _since(state, moment), metrics.mean_seconds.get(family))
        for family, moment in sorted(metrics.synced_at.items())
        if moment
    ]
    if times:
        yield of_rules.LastSyncs(times=tuple(times), is_mean=True)
    else:
        yield of_rules.NeverSynced(families=tuple(sorted(metrics.synced_at)) or ("",))
    if metrics.restore_failures:
        yield of_rules.RestoresFailed(count=metrics.restore_failures)


def _of_node(state: NodeState) -> Iterator[Observation]:
    """The node's name, its families and its tools."""
    status = state.answer.status if state.answer is not None else None
    name = status.node_name if status is not None else state.node_name
    known = _addresses(state)
    yield of_proxy.NodeKnown(name=name, addresses=known) if known else of_proxy.NoAddress(name=name)
    tools = status.families if status is not None else state.tools
    families = tuple(its.family for its in tools)
    if families:
        is_lacking = Family.IPV6 not in families and (status is None or status.only_family is None)
        yield of_proxy.FamiliesServed(
            families=families,
            services=max(its.services for its in status.families) if status is not None and status.families else None,
            why_not_ipv6=state.why_no_ipv6 if is_lacking else "",
        )
    for backend in dict.fromkeys(its.backend for its in tools):
        of_it = [its for its in tools if its.backend == backend]
        yield of_proxy.BackendUsed(
            backend=backend,
            families=tuple(its.family for its in of_it),
            tools=tuple(f"{its.tool} {its.tool_version}" for its in of_it),
        )
    if state.tools_problem:
        yield of_proxy.NoTools(problem=state.tools_problem)
    used = {its.family: its.backend for its in tools} if status is not None else {}
    for family, backends in state.kernel.proxy_chains.items():
        if len(backends) > 1:
            wrong = next((each for each in backends if each != used.get(family)), None) if used else None
            yield of_proxy.BothBackendsUsed(family=family, wrong=wrong)


def _addresses(state: NodeState) -> tuple[str, ...]:
    """The addresses by which others know the node."""
    status = state.answer.status if state.answer is not None else None
    addresses = status.node_addresses if status is not None else state.addresses
    return tuple(text for text in addresses if (ip := parse_ip(text)) is not None and not ip.is_loopback)


def _of_rules(state: NodeState) -> Iterator[Observation]:
    """Whether the rules are as they should be, and who changes them."""
    kernel, answer = state.kernel, state.answer
    status = answer.status if answer is not None else None
    if status is not None:
        yield from _of_synced_rules(status.families, kernel)
        yield from _of_endpoints({its.family: its.ports_refusing for its in status.families}, of_rules.PortsRefuse)
        yield from _of_endpoints({its.family: its.ports_dropping for its in status.families}, of_rules.PortsDrop)
        if not status.is_shadow:
            yield from _drift(state, status)
    elif _mode(answer) == _IPTABLES:
        yield from _rules_of_kube_proxy(state)
    elif answer is None:
        present = tuple(family for family, backends in kernel.proxy_chains.items() if backends)
        if not kernel.may_ask:
            yield of_rules.RulesNotLookedAt()
        elif not present:
            yield of_rules.NoRules()
        elif not state.processes:
            yield of_rules.RulesWithoutProxy(families=present)


def _rules_of_kube_proxy(state: NodeState) -> Iterator[Observation]:
    metrics = state.answer.metrics if state.answer is not None else None
    yield from _of_endpoints(metrics.ports_dropping if metrics is not None else {}, of_rules.PortsDrop)
    has_synced = metrics is not None and any(metrics.synced_at.values())
    for its in state.tools:
        if state.kernel.may_ask and has_synced and not state.kernel.proxy_chains.get(its.family):
            yield of_rules.RulesMissing(family=its.family, backend=its.backend)
    yield of_rules.RulesNotCompared()


def _of_synced_rules(families: tuple[FamilySync, ...], kernel: KernelState) -> Iterator[Observation]:
    in_sync = []
    for its in families:
        if its.refused_count:
            yield of_rules.ServicesRefused(family=its.family, count=its.refused_count, services=its.refused)
        if its.pending_chains or its.pending_rules:
            yield of_rules.WouldChange(family=its.family, chains=its.pending_chains, rules=its.pending_rules)
        elif its.synced_at is not None and its.failing_since is None:
            if kernel.may_ask and its.backend not in kernel.proxy_chains.get(its.family, ()):
                yield of_rules.RulesMissing(family=its.family, backend=its.backend)
            elif not its.refused_count:
                in_sync.append(its.family)
    if in_sync:
        yield of_rules.InSync(families=tuple(in_sync))


def _of_endpoints(
    counts: Mapping[str, int], kind: type[of_rules.PortsRefuse | of_rules.PortsDrop]
) -> Iterator[Observation]:
    """How many ports lack endpoints, by family: one observation for families with the same number."""
    for count in sorted({*counts.values()} - {0}):
        yield kind(families=tuple(family for family, its in counts.items() if family and its == count), count=count)


def _drift(state: NodeState, status: ProxyStatus) -> Iterator[Observation]:
    late = [repair for repair in status.repairs if _since(state, repair.time) <= _OF_LATE]
    if not late:
        yield of_rules.NoDrift(seconds=min(_OF_LATE, _since(state, status.started_at)))
    times = Counter(repair.program for repair in late)
    recent = Counter(repair.program for repair in late if _since(state, repair.time) <= _MINUTE)
    last: dict[str, Repair] = {repair.program: repair for repair in late}
    for program, repair in last.items():
        kind = of_rules.KeepsDrifting if recent[program] >= _OFTEN else of_rules.Drifted
        yield kind(
            program=program,
            pid=repair.pid,
            times=times[program],
            seconds=_since(state, repair.time),
            chains=repair.chains,
            chain_count=repair.chain_count,
        )


def _of_kernel(state: NodeState) -> Iterator[Observation]:
    """What the kernel shows apart from rules."""
    kernel = state.kernel
    yield from _connections(kernel)
    # Of a family in which nobody knows the node, the proxy may have rules, but there is no traffic.
    known = {ip.family for ip in map(parse_ip, _addresses(state)) if ip is not None} or {Family.IPV4}
    for family, is_on in kernel.forwarding.items():
        if not is_on and family in known:
            yield of_kernel.ForwardingOff(family=family)
    if on := tuple(family for family, is_on in kernel.forwarding.items() if is_on):
        yield of_kernel.Forwards(families=on)
    for family in sorted(known.intersection(kernel.forward_drop)):
        for backend in kernel.forward_drop[family]:
            yield of_kernel.ForwardDrops(family=family, backend=backend)
    yield from _of_settings(kernel)
    if not kernel.may_ask:
        yield of_kernel.TablesNotLookedAt()
        yield of_kernel.LeftoversNotLookedAt()
        return
    yield from _tables_and_leftovers(kernel, _mode(state.answer))


def _tables_and_leftovers(kernel: KernelState, mode: str) -> Iterator[Observation]:
    """What a kube-proxy in `mode` works with is not left over."""
    left = {table.title for table in kernel.leftovers.tables}
    others = tuple(table for table in kernel.other_tables if table.title not in left)
    yield of_kernel.NativeTables(tables=others) if others else of_kernel.NoNativeTables()
    is_clean = True
    if kernel.leftovers.tables and mode != _NFTABLES:
        yield of_kernel.NftablesLeft(tables=kernel.leftovers.tables)
        is_clean = False
    if kernel.leftovers.has_ipvs and mode != _IPVS:
        yield of_kernel.IpvsLeft(leftovers=kernel.leftovers)
        is_clean = False
    if is_clean:
        yield of_kernel.NoLeftovers()


def _of_settings(kernel: KernelState) -> Iterator[Observation]:
    """Whether kernel settings are as the configuration asks for."""
    hidden = []
    for setting in kernel.settings:
        # Of a kernel module that is not loaded, that has been said already.
        if setting.is_met or (setting.current is None and kernel.connections is None):
            continue
        if setting.current is None and not kernel.may_ask:
            hidden.append(setting.name)
        else:
            yield of_kernel.SettingDiffers(setting=setting)
    if hidden:
        yield of_kernel.SettingsNotLookedAt(names=tuple(hidden))
    if met := sum(setting.is_met for setting in kernel.settings):
        yield of_kernel.SettingsMade(count=met)


def _mode(answer: ProxyAnswer | None) -> str:
    """The mode of the proxy that runs; empty if none does. A kube-proxy that does not say it counts as iptables."""
    if answer is None:
        return ""
    return (answer.metrics.mode if answer.metrics is not None else "") or _IPTABLES


def _connections(kernel: KernelState) -> Iterator[Observation]:
    if kernel.connections is None:
        yield of_kernel.TableUnknown()
        return
    entries, limit = kernel.connections.entries, kernel.connections.limit
    share = entries / limit if limit else 0.0
    kind = of_kernel.TableUsed
    if share >= _NEARLY_FULL:
        kind = of_kernel.TableFull if share >= _FULL else of_kernel.TableNearlyFull
    yield kind(entries=entries, limit=limit)
    if kernel.connections.dropped:
        yield of_kernel.PacketsDropped(count=kernel.connections.dropped)
