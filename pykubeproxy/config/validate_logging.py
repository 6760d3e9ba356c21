"""Whether the logging options make sense; the part of validation that component-base does for all components."""

from collections.abc import Iterator, Mapping

from pykubeproxy.config import gates
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.field_error import forbidden, invalid, required
from pykubeproxy.config.types import Logging, OutputRouting, VModuleItem

_MAX_VERBOSITY = 2**31 - 1


def logging_errors(logging: Logging, feature_gates: Mapping[str, bool]) -> Iterator[str]:
    """The errors of the `logging` section, given the feature gates asked for."""
    try:
        states = gates.resolve(feature_gates)
    except ConfigError:  # already an error of its own
        states = gates.resolve({})
    yield from _format_errors(logging, states)
    if logging.verbosity > _MAX_VERBOSITY:
        yield invalid("logging.verbosity", logging.verbosity, f"Must be <= {_MAX_VERBOSITY}")
    if logging.vmodule and logging.format != "text":
        yield forbidden("logging.vmodule", "Only supported for text log format")
    for index, item in enumerate(logging.vmodule):
        yield from _vmodule_errors(f"logging.vmodule[{index}]", item)
    yield from _routing_errors("logging.options.text", logging.options.text, states)
    yield from _routing_errors("logging.options.json", logging.options.json, states)


def _format_errors(logging: Logging, states: gates.FeatureGates) -> Iterator[str]:
    if logging.format not in ("text", "json"):
        yield invalid("logging.format", logging.format, "Unsupported log format, must be text or json")
    elif logging.format == "json" and not states.enabled("LoggingBetaOptions"):
        yield forbidden("logging.format", "Log format json is disabled, see LoggingBetaOptions feature")


def _vmodule_errors(path: str, item: VModuleItem) -> Iterator[str]:
    if not item.file_pattern:
        yield required(path, "File pattern must not be empty")
    if any(sign in item.file_pattern for sign in "=,"):
        yield invalid(path, item.file_pattern, "File pattern must not contain equal sign or comma")
    if item.verbosity > _MAX_VERBOSITY:
        yield invalid(path, item.verbosity, f"Must be <= {_MAX_VERBOSITY}")


def _routing_errors(path: str, routing: OutputRouting, states: gates.FeatureGates) -> Iterator[str]:
    if states.enabled("LoggingAlphaOptions"):
        return
    if routing.split_stream:
        yield forbidden(f"{path}.splitStream", "Feature LoggingAlphaOptions is disabled")
    if routing.info_buffer_size:
        yield forbidden(f"{path}.infoBufferSize", "Feature LoggingAlphaOptions is disabled")
