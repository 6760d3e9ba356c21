"""Validation of the logging options."""

import pytest

from pykubeproxy.config.quantity import Quantity
from pykubeproxy.config.types import VModuleItem
from tests.config.fields import errors

ALPHA = "Feature LoggingAlphaOptions is disabled"


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("format", "xml", 'format: Invalid value: "xml": Unsupported log format, must be text or json'),
        ("verbosity", 2**31, "verbosity: Invalid value: 2147483648: Must be <= 2147483647"),
        ("options.text.split_stream", True, f"options.text.splitStream: Forbidden: {ALPHA}"),
        ("options.text.info_buffer_size", Quantity("1k"), f"options.text.infoBufferSize: Forbidden: {ALPHA}"),
        ("options.json.split_stream", True, f"options.json.splitStream: Forbidden: {ALPHA}"),
        ("options.json.info_buffer_size", Quantity("1k"), f"options.json.infoBufferSize: Forbidden: {ALPHA}"),
    ],
)
def test_each_rule(field: str, value: object, error: str) -> None:
    assert errors({f"logging.{field}": value}) == (f"logging.{error}",)


@pytest.mark.parametrize(
    ("pattern", "verbosity", "error"),
    [
        ("", 1, "Required value: File pattern must not be empty"),
        ("a=b", 1, 'Invalid value: "a=b": File pattern must not contain equal sign or comma'),
        ("a,b", 1, 'Invalid value: "a,b": File pattern must not contain equal sign or comma'),
        ("a", 2**31, "Invalid value: 2147483648: Must be <= 2147483647"),
    ],
)
def test_vmodule(pattern: str, verbosity: int, error: str) -> None:
    items = (VModuleItem(file_pattern="ok"), VModuleItem(file_pattern=pattern, verbosity=verbosity))
    assert errors({"logging.vmodule": items}) == (f"logging.vmodule[1]: {error}",)


def test_the_alpha_gate_opens_the_alpha_options() -> None:
    fields = {
        "logging.options.text.split_stream": True,
        "logging.options.json.info_buffer_size": Quantity("1k"),
        "feature_gates": {"LoggingAlphaOptions": True},
    }
    assert errors(fields) == ()


def test_a_buffer_of_zero_needs_no_gate() -> None:
    assert errors({"logging.options.text.info_buffer_size": Quantity("0Ki")}) == ()


def test_json_logs_need_the_beta_gate() -> None:
    assert errors({"logging.format": "json"}) == ()
    assert errors({"logging.format": "json", "feature_gates": {"LoggingBetaOptions": False}}) == (
        "logging.format: Forbidden: Log format json is disabled, see LoggingBetaOptions feature",
    )


def test_json_logs_take_no_vmodule() -> None:
    assert errors({"logging.format": "json", "logging.vmodule": (VModuleItem(file_pattern="a"),)}) == (
        "logging.vmodule: Forbidden: Only supported for text log format",
    )
