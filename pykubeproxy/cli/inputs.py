"""What commands work with: the configuration, objects, and the rules that both amount to."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

import msgspec

from pykubeproxy.cli.errors import print_stderr
from pykubeproxy.cli.options import API
from pykubeproxy.cli.progress import READING_OBJECTS, progress
from pykubeproxy.cluster.input_notes import (
    FileBesideApi,
    FolderEmpty,
    InputNote,
    ServiceLeftOut,
    StdinEmpty,
    UnusedKind,
    input_note_text,
)
from pykubeproxy.cluster.manifests import STDIN, Manifests, SourceError
from pykubeproxy.cluster.resources import FOLLOWED, Resource
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.config.completed import Completed, check, complete
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.daemon.setup.node_view import NodeView, host_name
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.explain.suggestions import did_you_mean
from pykubeproxy.host.backend import Tools
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import Service, Unserved, why_unserved
from pykubeproxy.model.snapshot import Snapshot, identify
from pykubeproxy.plan.live_services import live_services
from pykubeproxy.rules.ruleset import Ruleset

PATIENCE = 3.0
"""Seconds that an API server may fail, or be connected to, before a command goes on without it."""


def read_config(flags: Mapping[str, object]) -> Completed:
    """The configuration from flags and the file that `--config` names; prints warnings. Raises ConfigError."""
    completed = complete_config(flags)
    print_warnings(completed)
    return completed


def complete_config(flags: Mapping[str, object]) -> Completed:
    """The configuration from flags and the file that `--config` names. Raises ConfigError."""
    path = flags.get("config")
    try:
        file = Path(str(path)).read_bytes() if path else None
    except OSError as error:
        raise ConfigError(f"failed complete: {error.filename}: {error.strerror}") from None
    try:
        completed = complete(flags, file, host_name())
        check(completed)
    except ConfigError as error:
        raise ConfigError(f"{error} (--config {path})" if path else str(error)) from None
    return completed


def print_warnings(completed: Completed) -> None:
    """Print what a configuration has that is valid, but without effect or perhaps not meant."""
    for warning in completed.warnings:
        print_stderr(warning)


def open_manifests(
    files: tuple[str, ...], resources: Sequence[Resource], *, allow_empty: bool = False
) -> tuple[Manifests, ObjectChanges]:
    """The files and folders, which can be polled for changes, and the objects that are in them now.

    Raises SourceError if there is no object and something was wrong: a mistake in a file, a folder without manifests,
    or an empty stdin. `allow_empty` allows for the last two.
    """
    manifests = Manifests(files, resources)
    # Somebody may be typing at stdin.
    with nullcontext() if STDIN in files else progress(READING_OBJECTS):
        change = manifests.load()
    mistakes = [
        input_note_text(note)
        for note in change.notes
        if note.is_error and not (allow_empty and isinstance(note, (FolderEmpty, StdinEmpty)))
    ]
    if mistakes and not change.put:
        # An empty cluster would make `diff` propose to remove all rules.
        more = f" (the first of {len(mistakes)} mistakes)" if len(mistakes) > 1 else ""
        raise SourceError(f"nothing to work with: {mistakes[0]}{more}")
    return manifests, change


def read_objects(
    files: tuple[str, ...],
    completed: Completed,
    *,
    allow_empty: bool = False,
    resources: Sequence[Resource] = FOLLOWED,
) -> ObjectChanges:
    """The objects in `files` (and folders); those of the API server if there is no file, or `api` is one of them.

    Of files, those of the kinds in `resources` are read; of the API server, those that a proxy follows.

    Raises SourceError, also if no object could be read and there were mistakes, or only folders without manifests, or
    an empty stdin; `allow_empty` allows for those two.
    """
    if files and API not in files:
        return open_manifests(files, resources, allow_empty=allow_empty)[1]
    return _list_objects(files, completed)


def print_notes_on_input(changes: ObjectChanges, *, is_strict: bool) -> None:
    """Print what of the input was not used, Services without a clusterIP among it.

    Raises SourceError with `is_strict` if there is anything, but for objects that are of no use to a Service proxy.
    """
    pending = (
        ServiceLeftOut(name=identify(obj))
        for obj in changes.put
        if isinstance(obj, Service) and why_unserved(obj, Family.IPV4) is Unserved.NO_CLUSTER_IP
    )
    notes = (*changes.notes, *pending)
    print_notes(notes)
    if is_strict and (count := sum(not isinstance(note, UnusedKind) for note in notes)):
        raise SourceError(f"--strict: {count} {'thing' if count == 1 else 'things'} of the input could not be used")


def read_objects_if_any(
    files: tuple[str, ...], completed: Completed, resources: Sequence[Resource] = FOLLOWED
) -> ObjectChanges | None:
    """The objects, for commands that go on without them: None, and a note, if the API server is away."""
    if files and API not in files:
        return read_objects(files, completed, resources=resources)
    from pykubeproxy.daemon.watch.api_source import ApiAway  # noqa: PLC0415  takes long to import

    try:
        return _list_objects(files, completed, PATIENCE)
    except ApiAway as error:
        print_stderr(f"note: {error}; what follows is by the rules alone")
        return None


def _list_objects(files: tuple[str, ...], completed: Completed, *patience: float) -> ObjectChanges:
    """The objects of the API server, with a note on each of `files`, which are not read. Raises SourceError.

    `patience` is how many seconds the server may fail, if not as long as usual.
    """
    # The client of the API server takes long to import, and most commands do without.
    from pykubeproxy.daemon.watch.api_source import list_objects  # noqa: PLC0415

    with progress(READING_OBJECTS):
        change = list_objects(completed, *patience)
    beside = tuple(FileBesideApi(path=Path(file)) for file in files if file != API)
    return msgspec.structs.replace(change, notes=(*beside, *change.notes))


def require_node(completed: Completed, changes: ObjectChanges, objects: tuple[str, ...]) -> None:
    """Raise SourceError if the node is none of those that there are. Files may well have no Nodes at all."""
    names = {obj.name for obj in changes.put if isinstance(obj, Node)}
    is_api = not objects or API in objects
    if completed.node_name in names or not (names or is_api):
        return
    if is_api:
        from pykubeproxy.cluster.node_names import node_names  # noqa: PLC0415  takes long to import

        names.update(node_names(completed))
    hint = did_you_mean(completed.node_name, names)
    raise SourceError(f"--hostname-override {completed.node_name}: there is no Node of this name{hint}")


def compile_for(
    completed: Completed,
    own_options: OwnOptions,
    change: ObjectChanges,
    tools: Mapping[Family, Tools],
    families: Iterable[Family],
    live: Mapping[Family, Ruleset] | None = None,
) -> dict[Family, Ruleset]:
    """The rules for the objects of `change` on this node, or on the one that the options describe, by IP family.

    With `live`, the Services that those rules serve are kept, as `run` does while not all objects can be read.
    """
    snapshot = Snapshot()
    with progress("computing the rules"):
        for obj in change.put:
            snapshot.put(obj)
        node = NodeView(completed, own_options, tools)
        own = snapshot.nodes.get(completed.node_name)
        held = {family: live_services(its) for family, its in (live or {}).items()}
        options = {family: node.options_for(own, family) for family in families}
        # Who gives no objects does without what makes rules of them.
        compiler = import_module("pykubeproxy.rules.compile")
        return {family: compiler.compile_ruleset(snapshot, its, held.get(family)) for family, its in options.items()}


def print_notes(notes: tuple[InputNote, ...]) -> None:
    """Print what was wrong with objects, or not used."""
    for note in notes:
        print_stderr(input_note_text(note))
