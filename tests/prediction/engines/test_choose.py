"""Which engine a model is predicted with: small work is torch's, large work the quicker engine's that agrees."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from terrazzo.errors import ConflictError, EnvironmentFault, ModelError, RecipeError
from terrazzo.models.bundle import Bundle
from terrazzo.models.network import Runtime
from terrazzo.prediction import keeping
from terrazzo.prediction.engines import choose, openvino_engine
from terrazzo.prediction.engines.choose import Chooser
from terrazzo.prediction.engines.forward import EnginePrecision, Means
from terrazzo.prediction.engines.probe import Tried, Work, fault_of, noise, tried
from terrazzo.prediction.journal_folder import JOURNAL, journal_folder
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.options import PredictionOptions
from terrazzo.progress import Silent

SMALL, LARGE = (Work(pixels=pixels, window=lambda: noise(2, 16, 16)) for pixels in (1000, 2**30))
Change = Callable[[Tensor], Tensor]


class Fake:
    """In OpenVINO's place: the network's own probabilities, changed."""

    device = torch.device("cpu")
    alone = True

    def __init__(self, bundle: Any, change: Change, precision: EnginePrecision = "float32") -> None:
        self.means = Means(engine="openvino", device="cpu", precision=precision)
        self._network, self._change = bundle.network, change

    def __call__(self, images: Tensor) -> Tensor:
        with torch.inference_mode():
            return self._change(self._network(images).softmax(1))


@pytest.fixture
def chosen(make_bundle: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The engine that is chosen where OpenVINO gives changed probabilities and a pass takes a share of torch's time."""
    bundle = make_bundle()

    def choice(work: Work = LARGE, change: Change = lambda shares: shares, seconds: float = 0.5, **options: Any) -> str:
        monkeypatch.setattr(openvino_engine, "is_installed", lambda: True)
        monkeypatch.setattr(choose, "OpenVinoForward", lambda bundle, precision, _streams: Fake(bundle, change, precision))

        def timed(forward: Any, chip: Any) -> Any:
            found = tried(forward, chip)
            return Tried(probabilities=found.probabilities, seconds=seconds if isinstance(forward, Fake) else 1.0)

        monkeypatch.setattr(choose, "tried", timed)
        given = PredictionOptions(**{"precision": "float32", **options})
        return Chooser(bundle, "cpu", given).engine_for(work).forwards[0].means.engine

    return choice


def test_large_work_is_openvinos(chosen: Callable[..., str]) -> None:
    assert chosen() == "openvino"


def test_small_work_is_torchs(chosen: Callable[..., str]) -> None:
    assert chosen(work=SMALL) == "torch"


def test_what_is_asked_for_is_not_tried(chosen: Callable[..., str]) -> None:
    assert chosen(engine="torch") == "torch"
    assert chosen(engine="openvino", work=SMALL, seconds=2) == "openvino"


def test_a_slower_engine_is_not_taken(chosen: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert chosen(seconds=1.5) == "torch"
    assert "OpenVINO in float32 is not used: it takes 1.5 s a window, torch on cpu in float32 1 s." in caplog.text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda shares: shares.roll(1, 1), "its classes are those of torch"),
        (lambda shares: shares * 0.9, "a probability differs by 0."),
        (lambda shares: shares * torch.nan, "not all of its probabilities are numbers"),
    ],
)
def test_an_engine_that_does_not_agree_is_not_taken(
    chosen: Callable[..., str], caplog: pytest.LogCaptureFixture, change: Change, reason: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert chosen(change=change) == "torch"
    assert f"OpenVINO in float32 is not used: {reason}" in caplog.text


def test_small_work_before_is_no_choice_for_large_work(make_bundle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_engine, "is_installed", lambda: True)
    monkeypatch.setattr(Chooser, "_quickest", lambda self, _plain, _rivals, _work: Fake(make_bundle(), lambda shares: shares))
    chooser = Chooser(make_bundle(), "cpu", PredictionOptions(precision="float32"))
    assert [chooser.engine_for(work).forwards[0].means.engine for work in (SMALL, LARGE, SMALL)] == ["torch", "openvino", "openvino"]


def test_an_engine_that_is_not_there(make_bundle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_engine, "is_installed", lambda: False)
    chooser = Chooser(make_bundle(), "cpu", PredictionOptions(engine="openvino"))
    with pytest.raises(EnvironmentFault, match=r"OpenVINO is not installed here\. Run: pip install terrazzo\[openvino\]"):
        chooser.engine_for(SMALL)


def test_bfloat16_that_does_not_do_for_a_model_gives_way_to_float32(
    make_bundle: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The model's classes are nearly equal, so that rounding decides between them."""
    bundle = make_bundle()
    with torch.no_grad():
        bundle.network.head.weight.mul_(1e-4)
        bundle.network.head.bias.fill_(3.0)
    monkeypatch.setattr("terrazzo.models.network.precision_for", lambda _: ("bfloat16", "for the test"))
    chooser = Chooser(bundle, "cpu", PredictionOptions())
    assert chooser.engine_for(SMALL).forwards[0].means.precision == "float32"
    assert "bfloat16 does not do for this model: its classes are those of torch in float32 in" in caplog.text
    sure = make_bundle()
    with torch.no_grad():
        sure.network.head.bias.copy_(torch.tensor([0.0, 90.0, 0.0]))
    assert Chooser(sure, "cpu", PredictionOptions()).engine_for(SMALL).forwards[0].means.precision == "bfloat16"


class TestInt8:
    """Whole numbers of eight bits: where the model says that they do, the chip is quick in them, and a trial agrees."""

    @pytest.fixture
    def told(self, make_bundle: Any) -> Bundle:
        """A model that tells how to round."""
        bundle: Bundle = make_bundle()
        return replace(bundle, card=bundle.card.model_copy(update={"int8_ranges": {"encoder.0.3": (0.0, 1.0)}}))

    @pytest.fixture
    def means(self, told: Bundle, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Means]:
        """What is chosen where OpenVINO takes a half of torch's time in float32, and a share of it in int8."""

        def choice(
            bundle: Any = told,
            pixels: int = 2**30,
            share: float = 0.25,
            change: Change = lambda shares: shares,
            *,
            chip: bool = True,
            **options: Any,
        ) -> Means:
            def made(bundle: Any, precision: EnginePrecision, _: int) -> Fake:
                return Fake(bundle, change if precision == "int8" else lambda shares: shares, precision)

            def timed(forward: Any, chip: Any) -> Any:
                seconds = {"torch": 1.0, "openvino": 0.5}[forward.means.engine]
                return Tried(
                    probabilities=tried(forward, chip).probabilities, seconds=share if forward.means.precision == "int8" else seconds
                )

            monkeypatch.setattr(openvino_engine, "is_installed", lambda: True)
            monkeypatch.setattr(choose, "OpenVinoForward", made)
            monkeypatch.setattr(choose, "tried", timed)
            monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx_vnni": chip})
            work = Work(pixels=pixels, window=lambda: noise(2, 16, 16))
            found: Means = Chooser(bundle, "cpu", PredictionOptions(**options)).engine_for(work).forwards[0].means
            return found

        return choice

    def test_is_taken_for_large_work_and_said(self, means: Callable[..., Means], caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            assert means() == Means(engine="openvino", device="cpu", precision="int8")
        assert "Predicting in int8, for on a window of the work its classes are those of float32" in caplog.text
        assert means(engine="openvino").precision == "int8"

    @pytest.mark.parametrize(
        "unlike",
        [
            {"pixels": choose.WORTH_ROUNDING_PX - 1},
            {"chip": False},
            {"share": 0.6},
            {"change": lambda shares: shares.roll(1, 1)},
            {"precision": "float32"},
        ],
        ids=["small", "no such chip", "slower", "other classes", "not asked for"],
    )
    def test_is_not_taken_where_it_does_not_do(self, means: Callable[..., Means], unlike: dict[str, Any]) -> None:
        assert means(**unlike) == Means(engine="openvino", device="cpu", precision="float32")

    def test_is_tried_once_work_is_large_enough(self, means: Callable[..., Means], told: Bundle) -> None:
        """A choice for smaller work, for which only converting is worth while, is none for larger."""
        means()
        chooser = Chooser(told, "cpu", PredictionOptions())
        sizes = [1000, 2**25, 2**25, 2**26, 1000, 2**26]
        found = [chooser.engine_for(Work(pixels=pixels, window=lambda: noise(2, 16, 16))) for pixels in sizes]
        assert [engine.forwards[0].means.precision for engine in found] == ["float32"] * 3 + ["int8"] * 3
        assert len({id(engine) for engine in found}) == 3

    def test_is_not_taken_where_the_model_does_not_tell_how(self, means: Callable[..., Means], make_bundle: Any) -> None:
        assert means(make_bundle()).precision == "float32"

    def test_is_not_openvinos_where_torch_is_asked_for(self, means: Callable[..., Means]) -> None:
        assert means(engine="torch") == Means(engine="torch", device="cpu", precision="float32")

    def test_is_taken_where_it_is_asked_for(self, means: Callable[..., Means]) -> None:
        assert means(precision="int8", pixels=1000, share=9).precision == "int8"

    @pytest.mark.skipif(not openvino_engine.is_installed(), reason="OpenVINO is not installed")
    def test_asked_of_a_model_that_does_not_tell_how(self, make_bundle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx_vnni": True})
        chooser = Chooser(make_bundle(), "cpu", PredictionOptions(precision="int8"))
        with pytest.raises(ModelError, match=r"does not tell how to round to int8.*Set precision = auto\."):
            chooser.engine_for(SMALL)

    @pytest.mark.parametrize(
        ("device", "options", "message"),
        [
            ("mps", {}, r"precision = int8 computes on the CPU, not on mps\. Use --device cpu or another precision\."),
            ("cpu", {"engine": "torch"}, r"torch does not compute in int8\. Set engine = openvino"),
            ("cpu", {"engine": "onnx"}, r"onnx computes in float32, not in int8\."),
        ],
    )
    def test_asked_of_what_cannot(
        self, make_bundle: Any, monkeypatch: pytest.MonkeyPatch, device: str, options: dict[str, Any], message: str
    ) -> None:
        monkeypatch.setattr(choose, "choose_runtime", lambda name, _: Runtime(device=torch.device(name), precision="float32"))
        with pytest.raises(RecipeError, match=message):
            Chooser(make_bundle(), device, PredictionOptions(precision="int8", **options))

    def test_asked_of_a_chip_whose_sums_overflow(self, told: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx2": True})
        with pytest.raises(EnvironmentFault, match=r"int8 needs a processor with VNNI or AMX.*Set precision = auto\."):
            Chooser(told, "cpu", PredictionOptions(precision="int8"))

    @pytest.mark.parametrize(("chip", "precision"), [(True, "int8"), (False, "float32")])
    def test_a_map_begun_in_it_goes_on_in_it_where_the_chip_can(
        self, told: Bundle, means: Callable[..., Means], monkeypatch: pytest.MonkeyPatch, *, chip: bool, precision: str
    ) -> None:
        means()
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx_vnni": chip})
        kept = {"engine": "openvino", "device": "cpu", "precision": "int8"}
        assert Chooser(told, "cpu", PredictionOptions()).engine_for(SMALL, kept).forwards[0].means.precision == precision


def test_rounding_may_move_a_probability_but_not_the_classes() -> None:
    exact = torch.tensor([0.9, 0.1]).reshape(1, 2, 1, 1).expand(1, 2, 10, 10)
    rough = torch.tensor([0.85, 0.15]).reshape(1, 2, 1, 1).expand(1, 2, 10, 10)
    assert fault_of(rough, exact, rounded=True) is None
    assert fault_of(rough, exact, rounded=False) == "a probability differs by 0.050 from that of torch"


class TestGoingOn:
    """A map that was broken off is finished with the engine that began it, whatever would be chosen now."""

    @pytest.fixture(autouse=True)
    def _small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping, "BLOCK_PX", 1000)

    def _break_off(self, target: Path, predictor: Any, image: Path) -> dict[str, Any]:
        job = predictor.open_job(image)
        read = job.raster.read

        def broken(window: Any = None) -> Any:
            if window is not None and window.row_off >= 64:
                raise KeyboardInterrupt
            return read(window)

        job.raster.read = broken
        with pytest.raises(KeyboardInterrupt):
            write_maps({target: job}, predictor, Silent())
        made_with: dict[str, Any] = json.loads((journal_folder(target) / JOURNAL).read_text().split("\n")[1])["made_with"]
        return made_with

    @pytest.mark.skipif(not openvino_engine.is_installed(), reason="OpenVINO is not installed")
    def test_with_the_engine_that_began_it(
        self, tmp_path: Path, make_bundle: Any, make_predictor: Any, write_tiff: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        image, bundle = write_tiff(100, 40), make_bundle()
        monkeypatch.setattr(choose, "WORTH_CONVERTING_PX", 1)
        monkeypatch.setattr(Chooser, "_quickest", lambda self, _plain, _rivals, _work: self._made("openvino", "float32"))
        made_with = self._break_off(tmp_path / "out" / "a_predseg.tif", make_predictor(bundle), image)
        assert (made_with["engine"], made_with["device"], made_with["precision"]) == ("openvino", "cpu", "float32")
        whole = tmp_path / "whole" / "a_predseg.tif"
        write_maps({whole: make_predictor(bundle).open_job(image)}, make_predictor(bundle), Silent())
        monkeypatch.setattr(Chooser, "_quickest", _never)
        predictor = make_predictor(bundle)
        write_maps({tmp_path / "out" / "a_predseg.tif": predictor.open_job(image)}, predictor, Silent())
        assert (tmp_path / "out" / "a_predseg.tif").read_bytes() == whole.read_bytes()

    def test_not_where_another_is_asked_for(self, tmp_path: Path, make_bundle: Any, make_predictor: Any, write_tiff: Any) -> None:
        image, bundle, target = write_tiff(100, 40), make_bundle(), tmp_path / "out" / "a_predseg.tif"
        self._break_off(target, make_predictor(bundle), image)
        predictor = make_predictor(bundle, engine="onnx")
        with pytest.raises(ConflictError, match=r"engine torch \(now onnx\)"):
            write_maps({target: predictor.open_job(image)}, predictor, Silent())


def _never(*_: object) -> None:
    raise AssertionError("tried anew")


def test_the_trial_is_on_a_window_of_the_work(make_predictor: Any, write_tiff: Any) -> None:
    """Of pixels as the model reads them; noise where there are none."""
    from terrazzo.prediction.stream import _work_of

    predictor = make_predictor()
    hole = np.ones((40, 56), np.bool_)
    full, empty = (predictor.open_job(write_tiff(40, 56, name=name, hole=mask)) for name, mask in (("a.tif", None), ("b.tif", hole)))
    read = _work_of([full, empty], predictor.bundle)
    assert read.pixels == 2 * 4 * 6 * 16 * 16
    assert read.window().shape == (2, 16, 16)
    assert not np.array_equal(read.window(), noise(2, 16, 16))
    assert np.array_equal(_work_of([empty], predictor.bundle).window(), noise(2, 16, 16))
