"""doctor: what it tells, without measuring for long."""

import json
from importlib import metadata

import pytest
import torch

from terrazzo.app import doctor
from terrazzo.models import machine
from terrazzo.prediction.engines import onnx_engine, openvino_engine


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MEASURE_S", 0.0)
    monkeypatch.setitem(machine.SIDES, "cpu", 8)


def test_facts_are_plain_and_the_text_tells_them() -> None:
    result = doctor.doctor()
    facts = json.loads(json.dumps(result.facts))
    assert facts["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert facts["cores"] >= 1
    assert set(facts["gigaflops"]) == {"float32", "bfloat16"}
    assert all(speed > 0 for speed in facts["gigaflops"].values())
    assert facts["devices"][0]["name"] == "cpu"
    assert facts["precision"] in ("float32", "bfloat16")
    for words in ("Python", "cores", "matrix products", "disk", "packages", facts["device"], facts["precision_why"]):
        assert words in result.text
    assert result.exit_code == 0


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda _: ["numpy>=1", "no-such-thing>=3", 'pytest>=8; extra == "dev"'])
    monkeypatch.setattr(doctor, "LITTLE_DISK_BYTES", 2**80)
    monkeypatch.setattr(doctor, "LITTLE_MEMORY_BYTES", 2**80)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for engine in (openvino_engine, onnx_engine):
        monkeypatch.setattr(engine, "is_installed", lambda: False)
    result = doctor.doctor()
    missing = result.facts["missing"]
    assert isinstance(missing, list)
    assert "no-such-thing is not installed: pip install no-such-thing" in missing
    assert any(line.startswith("little disk") for line in missing)
    assert any(line.startswith("little memory") for line in missing)
    assert "no OpenVINO, which predicts faster on processors: pip install terrazzo[openvino]" in missing
    assert result.facts["engines"] == ["torch"]
    assert not any("pytest" in line for line in missing)
    assert "missing: no-such-thing" in result.text
