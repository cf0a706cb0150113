"""Where one runtime fails to decode, others are asked."""

import packages

DIES = "raise RuntimeError('If')"


def only(project):
    (cell,) = project.run().values()
    (variant,) = cell["variants"]
    return variant


def test_the_evaluator_and_the_newest_runtime_tell_whose_fault_it_is(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES), packages.onnxruntime("1.19.0"))
    project.configure({"onnxruntime": ["1.17.0", "1.19.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair"]})
    failed, works = (cell["variants"][0] for cell in project.run().values())
    assert (failed["status"], failed["stage"]) == ("fails", "decode")
    assert failed["opinions"] == {"onnx.reference": "works", "onnxruntime 1.19.0": "works"}
    assert (works["status"], works["opinions"]) == ("works", {})


def test_the_newest_runtime_is_not_asked_about_itself(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES))
    project.configure({"onnxruntime": ["1.17.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair"]})
    assert only(project)["opinions"] == {"onnx.reference": "works"}


def test_an_opinion_is_stored_like_any_result(project):
    project.publish(packages.onnxruntime("1.17.0", on_run=DIES))
    project.configure({"onnxruntime": ["1.17.0"]}, variants={"exporters": ["torchscript"], "layouts": ["pair"]})
    first = only(project)
    starts = len(project.starts())
    assert only(project) == first
    assert len(project.starts()) == starts
