"""What is promised when things go wrong: Services that are not concerned notice nothing, and all is put right."""

from tests.promises.promise import Broken, Promise

_STARTS = "        self._serve(closing)\n"
_FLUSHES = (
    "        import subprocess\n"
    "        for tools in self._tools.values():\n"
    "            subprocess.run([tools.restore.removesuffix('-restore'), '-t', 'nat', '-F'])\n"
)

_POSTS = '            self._session.post(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", obj)\n'

_SECTIONS = "tests/kernel/test_kernel_sections.py"

PROMISES = (
    Promise(
        words="kill -9 of the daemon at any moment, 100 times: no connection fails",
        test="tests/chaos/test_chaos_kills.py",
        only="nft",
        broken=Broken(
            how="it begins with a flush",
            file="pykubeproxy/daemon/node_daemon.py",
            old=_STARTS,
            new=_FLUSHES + _STARTS,
        ),
    ),
    Promise(
        words="SIGTERM ends the daemon within a second or so, and leaves the rules in force",
        test="tests/daemon/test_ending.py",
        broken=Broken(
            how="it waits for a message, whoever was given the signal",
            file="pykubeproxy/daemon/loop.py",
            old="_LONGEST_WAIT = 0.5\n",
            new="_LONGEST_WAIT = 86400.0\n",
        ),
    ),
    Promise(
        words="kill -9 of iptables-restore is noticed, and what it was for is made up for",
        test="tests/chaos/test_chaos_restores.py",
        only="restores_are_killed and nft",
        broken=Broken(
            how="a write that has failed passes for one that is done",
            file="pykubeproxy/daemon/sync/family.py",
            old="            self.refused_plans += (RefusedPlan(error, is_full=self._desired.changed is None),)\n"
            "            raise\n",
            new="            pass\n",
        ),
    ),
    Promise(
        words="A rule that the node refuses stops no other Service than its own, which stays as it was and is named",
        test="tests/kernel/test_kernel_refused_services.py",
        only="nft and (start or node)",
        broken=Broken(
            how="the refused Service is not set aside",
            file="pykubeproxy/daemon/sync/set_aside.py",
            old="        self.services[key], self.held[key] = refused, held\n",
            new="",
        ),
    ),
    Promise(
        words="A command that hangs is named in the log after ten seconds, and again at a pace",
        test="tests/daemon/watch/test_slow_commands.py",
        broken=Broken(
            how="iptables-restore is waited for without a word",
            file="pykubeproxy/host/iptables.py",
            old="        with waited_for(command, process.pid):\n",
            new="        with suppress(BrokenPipeError):\n",
        ),
    ),
    Promise(
        words="Rules that the tools print in other words are not written again and again, and a real change is noticed",
        test="tests/kernel/test_kernel_other_words.py",
        only="nft and running",
        broken=Broken(
            how="how the tools print a chain is not remembered",
            file="pykubeproxy/plan/printed.py",
            old="                self._chains[chain] = (hash(change.after), hash(change.before))\n",
            new="",
        ),
    ),
    Promise(
        words="A large restore that is interrupted leaves every Service either old or new",
        test="tests/chaos/test_chaos_restores.py",
        only="sections",
        broken=Broken(
            how="what will be deleted is emptied first",
            file="pykubeproxy/plan/sections.py",
            old="    yield Plan(chains=tuple(_kept(fixed)), deletes=plan.deletes)\n",
            new="    yield from _packed([[replace(each, after=())] for each in plan.chains "
            "if _is_gone(each) and each.before], size)\n"
            "    yield Plan(chains=tuple(_kept(fixed)), deletes=plan.deletes)\n",
        ),
    ),
    Promise(
        words="Connections lose nothing while all rules are written anew, section by section",
        test=_SECTIONS,
        only="do_not_notice",
        broken=Broken(
            how="a Service is emptied before it is written",
            file="pykubeproxy/plan/sections.py",
            old="    yield from _packed(before, size)\n",
            new="    yield from _packed([[replace(each, after=()) for each in unit] for unit in before], size)\n"
            "    yield from _packed(before, size)\n",
        ),
    ),
    Promise(
        words="--commit single: each table is written in one COMMIT",
        test=_SECTIONS,
        only="how_often",
        broken=Broken(
            how="what is large is divided all the same",
            file="pykubeproxy/daemon/setup/tools.py",
            old="    return sections if own_options.commit is CommitMode.AUTO and tools",
            new="    return sections if tools",
        ),
    ),
    Promise(
        words="A restart that finds all as it should be writes nothing",
        test="tests/kernel/test_kernel_adopting.py",
        only="second_run",
        broken=Broken(
            how="the first write is always a full one",
            file="pykubeproxy/daemon/sync/family.py",
            old="        plan = diff(self.desired, live.ruleset)\n",
            new="        plan = diff(self.desired, live.ruleset if believed else Ruleset(tables={}))\n",
        ),
    ),
    Promise(
        words="A start with a file that cannot be read removes nothing, serves the others, and says so",
        test="tests/kernel/test_kernel_unreadable_files.py",
        only="a_start_removes_nothing",
        broken=Broken(
            how="what cannot be read is taken for deleted",
            file="pykubeproxy/daemon/loop.py",
            old="                proxy.hold()\n",
            new="                proxy.release(self.snapshot)\n",
        ),
    ),
    Promise(
        words="What kube-proxy has left in nftables mode is deleted once our own rules are there, in shadow mode never",
        test="tests/kernel/test_kernel_leftovers.py",
        broken=Broken(
            how="nobody looks for it",
            file="pykubeproxy/host/leftovers.py",
            old='NftTable(OF_FAMILY[family], "kube-proxy") for',
            new='NftTable(OF_FAMILY[family], "kubeproxy") for',
        ),
    ),
    Promise(
        words="Where the kernel has nothing for the default iptables tools, the others are used, and that is said",
        test="tests/kernel/test_kernel_backends.py",
        only="without_legacy_tables",
        broken=Broken(
            how="the default tools are used, whatever the kernel has",
            file="pykubeproxy/host/backend.py",
            old="    if default is not None and _is_missing_in_kernel(default, may_load=may_load):\n",
            new="    if default is None:\n",
        ),
    ),
    Promise(
        words="cleanup removes all that is ours",
        test="tests/kernel/test_kernel_cleanup.py",
        broken=Broken(
            how="the branches of trees are not taken for ours",
            file="pykubeproxy/plan/cleanup.py",
            old="    return is_owned(table, chain) and chain != names.FIREWALL\n",
            new="    return is_owned(table, chain) and chain != names.FIREWALL and '/' not in chain\n",
        ),
    ),
    Promise(
        words="Rules that iptables cannot print stop nothing: Services are served beside them, which stay untouched",
        test="tests/kernel/test_kernel_unreadable_rules.py",
        only="nothing_else_is_touched",
        broken=Broken(
            how="a table that cannot be printed cannot be read",
            file="pykubeproxy/host/iptables.py",
            old="                if self._tools.backend is not Backend.NFT:\n",
            new="                if self._tools.backend is Backend.NFT:\n",
        ),
    ),
    Promise(
        words="Beside such rules drift is repaired as well, and nothing is written again that did not change",
        test="tests/kernel/test_kernel_unreadable_rules.py",
        only="drift",
        broken=Broken(
            how="the text of no chain is known",
            file="pykubeproxy/host/partial.py",
            old="            table.chains[chain] = texts.get(chain) or _opaque",
            new="            table.chains[chain] = _opaque",
        ),
    ),
    Promise(
        words="An API server that cannot stream lists, in whatever way it fails, is asked for pages at once",
        test="tests/cluster/test_reflector_lists.py",
        only="cannot_stream",
        broken=Broken(
            how="a streaming list is asked for until it comes",
            file="pykubeproxy/cluster/watch_protocol.py",
            old="    (State.STREAM, Cause.NOT_STREAMED): Transition(to=State.PAGES),\n",
            new="    (State.STREAM, Cause.NOT_STREAMED): Transition(to=State.STREAM),\n",
        ),
    ),
    Promise(
        words="An API server that is back is noticed within five seconds, however long it was away",
        test="tests/cluster/test_outage.py",
        only="however_long",
        broken=Broken(
            how="each attempt is followed by a longer pause",
            file="pykubeproxy/cluster/outage.py",
            old="        return max(self._probe_at + self.backoff.probe, now)\n",
            new="        return max(2 * self._probe_at - 95, now)\n",
        ),
    ),
    Promise(
        words="One attempt for all watches, which go on as soon as it is answered",
        test="tests/cluster/test_outage.py",
        only="tries_for_all",
        broken=Broken(
            how="the others are not woken",
            file="pykubeproxy/cluster/outage.py",
            old="            self._probe = None\n            self._changed.notify_all()\n\n    def works",
            new="            self._probe = None\n\n    def works",
        ),
    ),
    Promise(
        words="An Event whose answer was lost is written once",
        test="tests/cluster/test_events.py",
        only="answer_was_lost",
        broken=Broken(
            how="each attempt has another name",
            file="pykubeproxy/cluster/events.py",
            old=_POSTS,
            new='            obj["metadata"]["name"] += "x"\n' + _POSTS,
        ),
    ),
    Promise(
        words="The API server restarts, loses its history, or answers 410 again and again: nothing is missed",
        test="tests/chaos/test_chaos_api.py",
        only="goes_wrong",
        broken=Broken(
            how="no new list after a 410",
            file="pykubeproxy/cluster/watch_protocol.py",
            old="    (State.WATCH, Cause.EXPIRED): Transition(to=State.STREAM, pauses=True),\n",
            new="    (State.WATCH, Cause.EXPIRED): Transition(to=State.PROBE, pauses=True),\n",
        ),
    ),
    Promise(
        words="It answers slowly, in parts, or with garbage: nothing is lost",
        test="tests/chaos/test_chaos_api.py",
        only="goes_wrong",
        broken=Broken(
            how="whatever comes with status 200 is a list",
            file="pykubeproxy/cluster/watch_protocol.py",
            old="    if not page.metadata.resource_version:",
            new="    if False:",
        ),
    ),
    Promise(
        words="Another program flushes, deletes or inserts rules: that is put right at once (nft)",
        test="tests/chaos/test_chaos_others.py",
        only="nft and concern",
        broken=Broken(
            how="announcements of the kernel are taken for our own",
            file="pykubeproxy/daemon/watch/own_changes.py",
            old="            return not (generation.is_known and self._is_own(generation))",
            new="            return False",
        ),
    ),
    Promise(
        words="The same with the legacy tools",
        test="tests/chaos/test_chaos_others.py",
        only="legacy and cuts",
        broken=Broken(
            how="the kernel is not asked for the state of its tables",
            file="pykubeproxy/daemon/watch/drift.py",
            old="        return self._look() != self._expected",
            new="        return False",
        ),
    ),
    Promise(
        words="Also what a process of another container does that has the number of our own tool",
        test="tests/daemon/test_drift.py",
        only="number_of_our_own_tool",
        broken=Broken(
            how="a number is enough to pass for our own",
            file="pykubeproxy/daemon/watch/own_changes.py",
            old="        if self._settled is None or generation.id > self._settled:\n            return False\n",
            new="        if any(generation.port in sync.processes for sync in self._syncs):\n            return True\n",
        ),
    ),
    Promise(
        words="and what is done between our first write and the beginning of the watch",
        test="tests/daemon/test_drift.py",
        only="between_our_first_write",
        broken=Broken(
            how="the generations of a sync are not counted",
            file="pykubeproxy/daemon/watch/own_changes.py",
            old="        return last - first == sum(write.commits or 0 for write in writes)\n",
            new="        return True\n",
        ),
    ),
    Promise(
        words="and after an error of netlink",
        test="tests/daemon/watch/test_drift_watching.py",
        only="does_not_end_the_watch",
        broken=Broken(
            how="the first error ends the watch",
            file="pykubeproxy/daemon/watch/drift.py",
            old="                self._closed.wait(_REOPENED_AFTER)\n",
            new="                return\n",
        ),
    ),
    Promise(
        words="Two Service proxies on one node: their repairs slow down, and each names the other, once",
        test="tests/daemon/test_contention.py",
        only="two_daemons",
        broken=Broken(
            how="each repair is made at once",
            file="pykubeproxy/daemon/follow/contention.py",
            old="_LONGEST_PAUSE = 10.0\n",
            new="_LONGEST_PAUSE = 0.0\n",
        ),
    ),
    Promise(
        words="A fault that nobody thought of, in whatever thread, is logged with a traceback and ends the process",
        test="tests/daemon/test_supervision.py",
        only="every_thread and manifests",
        broken=Broken(
            how="a thread that has died is logged, and nothing else",
            file="pykubeproxy/daemon/supervision.py",
            old="        inbox.put(Stop(_in_one_line(fault.exc_value, name)))\n",
            new="",
        ),
    ),
    Promise(
        words="A first sync or a repair that goes on failing makes /healthz fail, and the alert fire",
        test="tests/daemon/follow/test_failing_for_long.py",
        broken=Broken(
            how="only changes of objects are waited for",
            file="pykubeproxy/daemon/follow/telemetry.py",
            old="            self._queued(sync.family)\n            return\n",
            new="            return\n",
        ),
    ),
    Promise(
        words="SIGTERM is heard also where exceptions are dropped by the interpreter",
        test="tests/daemon/test_ending.py",
        only="finalized",
        broken=Broken(
            how="it is asked for once",
            file="pykubeproxy/daemon/signals.py",
            old="            signal.setitimer(signal.ITIMER_REAL, _REPEATED_AFTER, _REPEATED_AFTER)\n",
            new="",
        ),
    ),
    Promise(
        words="Syncs go on while the thread that serves HTTP is busy",
        test="tests/observe/test_check_server.py",
        only="busy",
        broken=Broken(
            how="health checks are waited for",
            file="pykubeproxy/observe/check_server.py",
            old="            self._web.post(self._change)\n",
            new="            self._web.call(self._change)\n",
        ),
    ),
    Promise(
        words="A sync does not read the routes of a node whose object tells its addresses",
        test="tests/daemon/setup/test_node_view.py",
        only="not_read",
        broken=Broken(
            how="they are read to be on the safe side",
            file="pykubeproxy/daemon/setup/node_view.py",
            old="            own_ips=() if node is not None else _node_ips(given)",
            new="            own_ips=_node_ips(given)",
        ),
    ),
    Promise(
        words="Nothing is kept for a family that the node does not serve",
        test="tests/daemon/follow/test_telemetry.py",
        only="no_sync_will_take",
        broken=Broken(
            how="trigger times are kept for every family",
            file="pykubeproxy/daemon/follow/telemetry.py",
            old="= {family: {} for family in families}",
            new="= {family: {} for family in Family}",
        ),
    ),
    Promise(
        words="Another process holds the xtables lock: what could not be written is written later",
        test="tests/chaos/test_chaos_lock.py",
        broken=Broken(
            how="what has failed is not tried again",
            file="pykubeproxy/daemon/node_daemon.py",
            old="retry_interval=self._config.iptables.sync_period.seconds",
            new="retry_interval=1e9",
        ),
    ),
    Promise(
        words="The clock jumps: syncs go on",
        test="tests/chaos/test_chaos_clock.py",
        only="-1",
        broken=Broken(
            how="the loop goes by the time of day",
            file="pykubeproxy/daemon/loop.py",
            old="clock: Callable[[], float] = time.monotonic,",
            new="clock: Callable[[], float] = time.time,",
        ),
    ),
    Promise(
        words="10,000 events at once are taken in, and take no memory afterwards",
        test="tests/chaos/test_chaos_queue.py",
        broken=Broken(
            how="every event is kept",
            file="pykubeproxy/daemon/loop.py",
            old="        for note in change.notes:",
            new="        self.__dict__.setdefault('kept', []).append((change, str(change) * 4))\n"
            "        for note in change.notes:",
        ),
    ),
    Promise(
        words="Out of file descriptors: the daemon waits, and goes on",
        test="tests/chaos/test_chaos_resources.py",
        only="nft and files",
        broken=Broken(
            how="a tool that cannot be started ends it",
            file="pykubeproxy/host/iptables.py",
            old='    return NotStarted(f"cannot start {tool}: {error.strerror}")',
            new="    raise error",
        ),
    ),
    Promise(
        words="The disk is full, so nothing can be logged: the daemon goes on",
        test="tests/chaos/test_chaos_resources.py",
        only="log",
        broken=Broken(
            how="a log that cannot be written ends it",
            file="pykubeproxy/observe/logs.py",
            old='cast("TextIO", LossyStream(sys.stderr))',
            new="sys.stderr",
        ),
    ),
    Promise(
        words="In a network namespace whose nf_conntrack_max is read-only, default settings serve, and others are made",
        test="tests/daemon/setup/test_preparation.py",
        only="namespace_has_the_machines_table",
        broken=Broken(
            how="a value that is larger than wanted is set as well",
            file="pykubeproxy/plan/sysctls.py",
            old="        return current >= self.value if self.only_raised else current == self.value\n",
            new="        return current == self.value\n",
        ),
    ),
    Promise(
        words="Shadow mode begins with the line that says what it is, and warns of nothing that it never writes",
        test="tests/daemon/test_shadow_mode.py",
        only="nft",
        broken=Broken(
            how="warnings come first",
            file="pykubeproxy/cli/daemon_settings.py",
            old="    if is_dry:\n        log.info(",
            new="    if is_dry:\n        log.warning('not permitted')\n        log.info(",
        ),
    ),
    Promise(
        words="A full table of connections is reported",
        test="tests/chaos/test_chaos_conntrack.py",
        broken=Broken(
            how="nobody looks",
            file="pykubeproxy/daemon/watch/conntrack_watch.py",
            old="            self._report.look(usage)\n",
            new="",
        ),
    ),
    Promise(
        words="kube-proxy's rules are adopted without a write (linear)",
        test="tests/chaos/test_chaos_takeover.py",
        only="nft and linear",
        broken=Broken(
            how="rules that mean the same in other words are written again",
            file="pykubeproxy/plan/equivalence.py",
            old='    is_counting = any(" -m nfacct " in line for line in desired)\n',
            new='    return False\n    is_counting = any(" -m nfacct " in line for line in desired)\n',
        ),
    ),
    Promise(
        words="Taking over from kube-proxy drops no connection, nor does going back",
        test="tests/chaos/test_chaos_takeover.py",
        only="nft and tree",
        broken=Broken(
            how="it begins with a flush",
            file="pykubeproxy/daemon/node_daemon.py",
            old=_STARTS,
            new=_FLUSHES + _STARTS,
        ),
    ),
    Promise(
        words="A UDP client that began while rules were missing is answered once they are back",
        test="tests/chaos/test_chaos_udp.py",
        only="nft",
        broken=Broken(
            how="flows are not looked at after a repair",
            file="pykubeproxy/daemon/follow/flows.py",
            old="        if sync.result is not None and sync.result.drifted:\n",
            new="        if False:\n",
        ),
    ),
    Promise(
        words="Twenty changes a second for an hour: no thread or descriptor is left behind",
        test="tests/chaos/test_soak.py",
        only="nft",
        broken=Broken(
            how="each list from the API server leaves a file open",
            file="pykubeproxy/cluster/tracker.py",
            old="        self._listed = None\n        self.has_listed = True\n",
            new="        self._listed = None\n        self.has_listed = True\n"
            "        self.__dict__.setdefault('kept', []).append(open('/dev/null'))\n",
        ),
    ),
    Promise(
        words="and memory stays as it is, within 5%",
        test="tests/chaos/test_soak.py",
        only="nft",
        broken=Broken(
            how="ten KB are kept of every change",
            file="pykubeproxy/daemon/loop.py",
            old="        for note in change.notes:",
            new="        self.__dict__.setdefault('kept', []).append(bytearray(10_000))\n"
            "        for note in change.notes:",
        ),
    ),
)
