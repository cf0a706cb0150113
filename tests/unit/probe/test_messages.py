"""What an exception's message becomes on its way to the host."""

from __future__ import annotations

import pytest

from harness.probe.messages import plain, summary
from harness.probe.outcome import ProbeFailure, describe
from harness.verdicts.messages import headline

# What torch 2.8's exporter says, word for word (transformers 4.55.4, a DynamicCache as an input).
STEP = (
    "Failed to export the model with torch.export. \x1b[96mThis is step 1/3\x1b[0m of exporting the model to ONNX. "
    "Next steps:\n"
    "- Modify the model code for `torch.export.export` to succeed. Refer to https://pytorch.org/x.html for more information.\n"
    "- Debug `torch.export.export` and summit a PR to PyTorch.\n"
    "- Create an issue in the PyTorch GitHub repository against the \x1b[96m*torch.export*\x1b[0m component and attach the full"
    " error stack as well as reproduction scripts."
)
REFER = "\n\n(Refer to the full stack trace above for more information.)"
ADVICE = (
    "\nFor more information about this error, see: https://pytorch.org/docs/main/generated/exportdb/index.html\n\n"
    "The error above occurred when calling torch.export.export. If you would like to view some more information about this "
    "error, and get a list of all other errors that may occur in your export call, you can replace your `export()` call with "
    "`draft_export()`."
)
SHAPE = (
    "Cannot associate shape [[{2: DYNAMIC}]] specified at `dynamic_shapes['past_key_values']` to non-tensor type DynamicCache"
)


class UserError(Exception):
    pass


class TorchExportError(Exception):
    pass


def raised(*exceptions: Exception) -> Exception:
    """The last of `exceptions`, each raised from the one before it."""
    *before, last = exceptions
    cause = raised(*before) if before else None
    with pytest.raises(type(last)) as caught:
        raise last from cause
    return caught.value


def torchs_own(inner: BaseException) -> BaseException:
    report = f"{STEP}\n\n## Exception summary\n\n<class '{type(inner).__name__}'>: {inner}\n{REFER}"
    return raised(inner, TorchExportError(report))


def test_of_torchs_report_the_innermost_cause_is_left():
    assert summary(torchs_own(UserError(SHAPE + ADVICE))) == (
        f"Failed to export the model with torch.export.\ncaused by UserError: {SHAPE}"
    )


@pytest.mark.parametrize("before", ["", "torch.export failed:\n"])
def test_a_sentence_before_the_advice_of_its_line_is_kept(before):
    violated = "Constraints violated (batch)!"
    more = 'For more information, run with TORCH_LOGS="+dynamic".'
    why = "\n  - Not all values of batch = L['x'].size()[0] satisfy the generated guard batch <= 8."
    assert plain(f"{before}{violated} {more}{why}") == f"{before}{violated}{why}"
    assert plain(f"{before}{violated}\nSet TORCHDYNAMO_VERBOSE=1 for the stack. {more}{why}") == f"{before}{violated}{why}"


def test_a_report_without_its_exceptions_keeps_its_summary():
    text = summary(TorchExportError(f"{STEP}\n\n## Exception summary\n\n<class 'X'>: the point\n⬆️\n<class 'Y'>: more\n{REFER}"))
    assert text == "Failed to export the model with torch.export.\n<class 'X'>: the point"


def test_dynamos_hints_at_more_information_go():
    text = (
        'Could not guard on data-dependent expression Eq(u0, 1)\nFor more information, run with TORCH_LOGS="dynamic"\n'
        "If you suspect the guard was triggered from C++, add TORCHDYNAMO_EXTENDED_DEBUG_CPP=1\n"
        "For more debugging help, see https://docs.google.com/x\n\nThe following call raised this error:\n  x.sum() > 0"
    )
    assert plain(text) == (
        "Could not guard on data-dependent expression Eq(u0, 1)\n\nThe following call raised this error:\n  x.sum() > 0"
    )


def test_addresses_and_temporary_folders_go_and_the_rest_stays():
    assert plain("mode <torch.fx.Mode object at 0x7fa9d67cd950> not registered") == "mode <torch.fx.Mode object> not registered"
    assert plain("c10::Error + 0x57 (0x7f3c1d2e4b10 in libc10.so)") == "c10::Error + 0x57 (0x… in libc10.so)"
    assert plain("no /tmp/tmpab12_x/saved/model.onnx, see /opt/model.onnx") == "no …/saved/model.onnx, see /opt/model.onnx"
    assert plain("in /x/envs/1/lib/python3.11/site-packages/torch/onnx/utils.py") == "in torch/onnx/utils.py"
    assert plain("flags 0x80004005") == "flags 0x80004005"


def test_the_frames_of_a_cpp_exception_go():
    frames = "Exception raised from check at /pytorch/a.cpp:12 (most recent call first):\nframe #0: c10 + 0x57\n"
    assert summary(RuntimeError(f"expected 3 dimensions\n{frames}")) == "expected 3 dimensions"


def test_a_cause_that_the_message_holds_already_is_not_repeated():
    inner = ImportError("cannot import name 'x' from 'y'")
    outer = RuntimeError("Failed to import marian because of the following error:\ncannot import name 'x' from 'y'")
    assert summary(raised(inner, outer)) == str(outer)


def test_what_a_raising_function_caught_is_a_cause():
    def wraps():
        try:
            int("1.5.0")
        except ValueError:
            raise RuntimeError("the version cannot be read")  # noqa: B904 -- as packages do

    with pytest.raises(RuntimeError) as caught:
        wraps()
    assert summary(caught.value) == (
        "the version cannot be read\ncaused by ValueError: invalid literal for int() with base 10: '1.5.0'"
    )


def test_what_was_caught_before_a_fallback_failed_is_none():
    def fallback():
        raise RuntimeError("no such file")

    def tries():
        try:
            int("1.5.0")
        except ValueError:
            fallback()

    with pytest.raises(RuntimeError) as caught:
        tries()
    assert summary(caught.value) == "no such file"


def test_a_bare_key_is_no_message():
    with pytest.raises(KeyError) as caught:
        {}["marian"]
    assert describe(caught.value, "probe")["message"] == (
        "KeyError: 'marian' (in test_messages.py, test_a_bare_key_is_no_message: "
        """{}["marian"])"""
    )


def test_nothing_at_all_is_no_message():
    with pytest.raises(AssertionError) as caught:
        raise AssertionError
    assert describe(caught.value, "probe")["message"].startswith("AssertionError (in test_messages.py, ")


def test_a_bare_key_is_a_cause_in_words():
    said = summary(raised(KeyError("position_ids"), RuntimeError("the export failed")))
    assert said.startswith("the export failed\ncaused by KeyError: 'position_ids' (in test_messages.py, raised")


def test_a_findings_own_words_stand_before_the_innermost_cause():
    package = raised(OSError("libtorch.so: undefined symbol"), ImportError("the extension does not load"))
    failure = describe(ProbeFailure("import torch: ImportError: the extension does not load", package), "package")
    assert failure["type"] == "ImportError"
    assert failure["message"] == (
        "import torch: ImportError: the extension does not load\ncaused by OSError: libtorch.so: undefined symbol"
    )
    assert "The above exception was the direct cause" in failure["traceback"]


def test_the_line_that_is_shown_has_the_start_of_the_cause():
    line = headline(summary(torchs_own(UserError(f"{SHAPE} {'x ' * 400}at the end{ADVICE}"))))
    assert line.startswith("Failed to export the model with torch.export. caused by UserError: Cannot associate shape [[")
    assert line.endswith("x at the end")
    assert len(line) <= 300
