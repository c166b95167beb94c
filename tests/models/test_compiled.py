"""Compiled networks compute what they computed, under the same names."""

from pathlib import Path

import pytest
import torch

from terrazzo.errors import EnvironmentFault
from terrazzo.models.compiled import check_compiler, compile_network
from terrazzo.models.network import LAYOUT, build_network
from terrazzo.models.options import ModelOptions

CPU = torch.device("cpu")


def test_without_a_compiler_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(EnvironmentFault, match=r"no C\+\+ compiler .* or set compile = false"):
        check_compiler(CPU)
    (tmp_path / "mine").touch(mode=0o755)
    monkeypatch.setenv("CXX", "mine")
    check_compiler(CPU)


def test_accelerators_need_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    check_compiler(torch.device("cuda"))


@pytest.mark.slow
def test_names_stay_and_figures_are_near() -> None:
    plain, compiled = (build_network(ModelOptions(filters=3, depth=1, convolutions=1), 2, 2, seed=1).train() for _ in range(2))
    compile_network(compiled)
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    image = torch.randn(2, 2, 16, 16, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=LAYOUT)
    for network in (plain, compiled):
        network(image).square().mean().backward()
    for name, parameter in plain.named_parameters():
        gradient = compiled.get_parameter(name).grad
        assert parameter.grad is not None
        assert gradient is not None
        assert torch.allclose(gradient, parameter.grad, rtol=1e-3, atol=1e-6), name
