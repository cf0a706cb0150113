"""Misuses each onnxruntime (a damaged file, a wrong feed, …) and writes reports/misuse.json: what each release says of it.

    nox -s misuse                  the newest patch of every minor version since 1.14
    nox -s misuse -- VERSION …     these versions, in place of those that the file has

uv makes a throw-away environment for each version, as run.py does. Exit code: 0 all measured, 3 some not.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from packaging.version import Version

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

import run

from harness.verdicts.package_names import packed
from harness.verdicts.runtime_misuse import ADAPTER, MeasuredMisuse, Misuse

FILE = ROOT / "reports" / "misuse.json"
IN_ENVIRONMENT = "misuse_in_environment.py"
WAYS = {
    "cut-file": ("load", "the file {path} ends early: a download or a copy is incomplete"),
    "cut-bytes": ("load", "the bytes of the model end early: a download or a copy is incomplete"),
    "pointer-file": ("load", "the file {path} is no model, but a text such as what Git LFS leaves until `git lfs pull`"),
    "empty-file": ("load", "the file {path} is empty"),
    "absent-file": ("load", "there is no file {path}"),
    "absent-data": ("load", "the weights of the model are to lie in the file {path} beside it, and there is none"),
    "cut-data": ("load", "the file beside the model that holds its weights ends early, or is that of another model"),
    "missing-input": ("decode", "the program does not feed {missing}, which is an input of the graph"),
    "extra-input": ("decode", "the program feeds {extra}, which is no input of the graph"),
    "wrong-type": ("decode", "the program feeds {got_type} where the graph takes {expected_type}"),
    "wrong-size": ("decode", "the program feeds {fed} in another size than the graph takes ({sizes})"),
    "wrong-rank": ("decode", "the program feeds {fed} with {got} dimensions where the graph takes {expected}"),
    "no-array": ("decode", "the program feeds {fed} as something else than an array of numpy"),
    "unknown-output": ("decode", "the program asks for {unknown}, which is no output of the graph"),
    "no-providers": ("load", "the program does not say which execution providers it wants, and this build has several"),
    "absent-provider": ("load", "the program asks for {absent}, and this build of onnxruntime has {available}"),
}
"""Way → where it fails, and what is wrong; see misuse_in_environment.py."""
STANDS_FOR = (
    (re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (?:Exception during initialization: )?"), ""),
    # The place in its source ends in the arguments of a function.
    (re.compile(r"/onnxruntime_src/.*[&t\]]\) (?=[A-Z\[])"), ""),
    (re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (?:[\w.]+:\d+ \w+ )?"), ""),
    (re.compile(r" Please fix .*"), ""),
    (re.compile(r"index: 0 Got: 5 Expected: 7"), "{sizes}"),
    (re.compile(r"Got: 2 Expected: 1\b"), "Got: {got} Expected: {expected}"),
    (re.compile(r"(?<=offset: )0(.*?)28(.*?)8(?= )"), r"{number}\1{number}\2{number}"),
    (re.compile(r"/?(?:\w+/)*misuse\.onnx"), "{path}"),
    (re.compile(r"/external/weights\.data"), "{path}"),
    (re.compile(r"initializer: weight\b"), "initializer: {name}"),
    (re.compile(r"misuse_(missing|extra|unknown)"), r"{\1}"),
    (re.compile(r"misuse_(?:fed|output)"), "{fed}"),
    (re.compile(r"tensor\(int32\)"), "{got_type}"),
    (re.compile(r"tensor\(float\)"), "{expected_type}"),
    (re.compile(r"CUDAExecutionProvider"), "{absent}"),
    (re.compile(r"\['Azure\w+', 'CPUExecutionProvider'\]"), "[{available}]"),
    (re.compile(r"'Azure\w+, CPUExecutionProvider'|'CPUExecutionProvider'"), "'{available}'"),
    (re.compile(r"\w+\.cc:\d+ \w+ (?=External)"), "{place} "),
    (re.compile(r"(?<=requires )2(.*)1$"), r"{number}\1{number}"),
)
"""What is left out of a message, and what parts of it stand for, in this order."""


def template(message: str) -> str:
    """A message with names, sizes and types of the text that is looked up in place of those that were measured."""
    message = " ".join(message.split())
    for pattern, instead in STANDS_FOR:
        message = pattern.sub(instead, message)
    return message.rstrip(" .")


def summarized(found: Mapping[str, Mapping[str, str | None]]) -> MeasuredMisuse:
    """Release → way → message, as it stands in the file."""
    releases = sorted(found, key=Version)
    misuses = []
    for way, (stage, what) in WAYS.items():
        saying: dict[str, list[int]] = {}
        for place, version in enumerate(releases):
            if message := found[version][way]:
                saying.setdefault(template(message), []).append(place)
        messages = {text: packed(places) for text, places in saying.items()}
        misuses.append(Misuse(way=way, stage=stage, what=what, messages=messages))
    return MeasuredMisuse(schema=1, releases=releases, misuses=misuses)


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="versions (default: every minor, see above)")
    options = parser.parse_args()
    found: dict[str, dict[str, str | None]] = {}
    missing = 0
    for version, python in run.with_pythons(options.versions).items():
        measured = run.found_in(version, python, IN_ENVIRONMENT) if python else "no interpreter of this machine can install it"
        if isinstance(measured, str):
            missing += 1
            sys.stderr.write(f"{version}: not measured: {measured}\n")
            continue
        found[version] = messages = measured["messages"]
        sys.stderr.write(f"{version}: {sum(map(bool, messages.values()))} of {len(WAYS)} ways are refused\n")
    if found:
        FILE.write_bytes(ADAPTER.dump_json(summarized(found), indent=1) + b"\n")
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
