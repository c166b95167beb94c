"""The model folder: it comes back as it was, tells nothing of the machine, and is never unpickled."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from terrazzo.errors import ModelError, RecipeError
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.models.bundle import CARD, SCALING, WEIGHTS, ModelCard, load_bundle, model_folder, reading_of, save_bundle, without_paths
from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels
from terrazzo.samples.scaling import Scaling, measure

LEGEND = Legend(
    classes=(LegendClass(value=0, name="land", color=(1, 2, 3)), LegendClass(value=7, name="wasser ü", color=(255, 0, 0))),
    remap={255: 7},
    ignore=None,
)


@pytest.fixture(scope="module")
def scaling() -> Scaling:
    values = np.random.default_rng(0).gamma(2, 30, (3, 20, 20))
    return measure([(Pixels(values=values, valid=np.ones((20, 20), np.bool_), holes=None), np.ones((20, 20), np.bool_))], "asinh", 400)


@pytest.fixture
def card(scaling: Scaling) -> ModelCard:
    return ModelCard(
        network=ModelOptions(filters=4, depth=2),
        bands=3,
        window=(32, 48),
        cell_size=(0.5, 0.25),
        crs="EPSG:32633",
        reading=DataOptions(bands=[3, 1, 2], nodata=[1.0, None, 0.0]),
        legend=json.loads(LEGEND.to_json()),
        scaling=SCALING.dump_python(scaling),
        recipe={"prediction": {"overlap": 0.25}},
        versions={"terrazzo": "0"},
    )


@pytest.fixture
def folder(tmp_path: Path, card: ModelCard) -> Path:
    """A model of random weights, not in their first state."""
    network = build_network(card.network, 3, 2, seed=1)
    network.train()(torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    save_bundle(tmp_path / "model", network, card)
    return tmp_path / "model"


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    edit(card)
    (folder / CARD).write_text(json.dumps(card), encoding="utf-8")


@pytest.mark.parametrize("nodata", [np.nan, [np.nan, 3.0, None]])
def test_that_no_value_is_nodata_is_kept(tmp_path: Path, card: ModelCard, nodata: Any) -> None:
    """Were it lost, the nodata that each file names would hold at prediction, though not in training."""
    save_bundle(tmp_path / "model", build_network(card.network, 3, 2), card.model_copy(update={"reading": DataOptions(nodata=nodata)}))
    assert str(load_bundle(tmp_path / "model").card.reading.nodata) == str(nodata)


@pytest.mark.parametrize(
    "options",
    [
        ModelOptions(filters=4, depth=2),
        ModelOptions(kind="resunet", filters=3, depth=1, norm="group", subpixel=2),
        ModelOptions(kind="vgg_unet", filters=3, depth=5),
    ],
)
def test_round_trip(tmp_path: Path, card: ModelCard, scaling: Scaling, options: ModelOptions) -> None:
    card = card.model_copy(update={"network": options})
    network = build_network(options, 3, 2, seed=5).to(memory_format=torch.channels_last).eval()
    save_bundle(tmp_path / "model", network, card)
    found = load_bundle(tmp_path / "model")
    assert found.card.model_dump_json() == card.model_dump_json()
    assert found.legend == LEGEND
    assert found.scaling == scaling
    assert not found.network.training
    state = network.state_dict()
    assert state.keys() == found.network.state_dict().keys()
    assert all(
        torch.equal(state[name], tensor) and tensor.dtype == state[name].dtype for name, tensor in found.network.state_dict().items()
    )
    image = torch.randn(1, 3, 19, 23)
    # the layout in memory decides the order of sums
    assert torch.equal(found.network.to(memory_format=torch.channels_last)(image), network(image))


def test_the_weights_hold_nothing_but_weights(folder: Path) -> None:
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        assert file.metadata() is None
        assert len(list(file.keys())) > 10
    assert sorted(path.name for path in folder.iterdir()) == [CARD, WEIGHTS]


def test_the_same_model_is_the_same_bytes_and_another_is_told_apart(tmp_path: Path, card: ModelCard) -> None:
    identities = []
    for number, seed in enumerate((1, 1, 2)):
        save_bundle(tmp_path / str(number), build_network(card.network, 3, 2, seed), card)
        identities.append(load_bundle(tmp_path / str(number)).identity)
    assert (tmp_path / "0" / WEIGHTS).read_bytes() == (tmp_path / "1" / WEIGHTS).read_bytes()
    assert identities[0] == identities[1] != identities[2]


def test_another_scaling_is_another_model(folder: Path) -> None:
    before = load_bundle(folder).identity
    change(folder, lambda card: card["scaling"]["bands"][0].update(offset=1.5))
    assert load_bundle(folder).identity != before


def test_a_run_will_do_where_a_model_is_asked_for(folder: Path) -> None:
    assert model_folder(folder) == folder
    assert model_folder(folder.parent) == folder


class TestRefused:
    def test_nothing_there_is_a_usage_error(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match="no model at") as caught:
            load_bundle(tmp_path / "nothing")
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("name", ["model.pt", "model.h5", "model.safetensors"])
    def test_a_single_file_is_never_opened(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ModelError, match="Pickled models are never opened") as caught:
            load_bundle(tmp_path / name)
        assert caught.value.exit_code == 4

    def test_a_folder_of_pickles(self, tmp_path: Path) -> None:
        (tmp_path / "model.pt").write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ModelError, match=r"holds no model\.json"):
            load_bundle(tmp_path)

    @pytest.mark.parametrize("weights", ["pickle", "torch", "empty", "zeros", "cut", "missing", "folder"])
    def test_weights_that_are_no_safetensors(self, folder: Path, weights: str) -> None:
        path = folder / WEIGHTS
        whole = path.read_bytes()
        path.unlink()
        if weights == "pickle":
            path.write_bytes(pickle.dumps(Trap()))
        elif weights == "torch":
            torch.save({"head.weight": Trap()}, path)
        elif weights == "folder":
            path.mkdir()
        elif weights != "missing":
            path.write_bytes({"empty": b"", "zeros": bytes(500), "cut": whole[: len(whole) // 2]}[weights])
        with pytest.raises(ModelError, match=r"does not hold the weights that model\.json describes") as caught:
            load_bundle(folder)
        assert caught.value.exit_code == 4
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("change_to", ["fewer", "more", "other shape"])
    def test_weights_of_another_network(self, folder: Path, change_to: str) -> None:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        if change_to == "fewer":
            del tensors["head.bias"]
        elif change_to == "more":
            tensors["extra"] = torch.zeros(1)
        else:
            tensors["head.bias"] = torch.zeros(3)
        save_file(tensors, folder / WEIGHTS)
        with pytest.raises(ModelError, match="does not hold the weights"):
            load_bundle(folder)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_no_numbers(self, folder: Path, value: float) -> None:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        tensors["head.bias"][1] = value
        save_file(tensors, folder / WEIGHTS)
        with pytest.raises(ModelError, match=r"weights that are no numbers \(head\.bias\)"):
            load_bundle(folder)

    @pytest.mark.parametrize(
        "edit",
        [
            lambda card: card.update(version=2),
            lambda card: card.update(format="other"),
            lambda card: card.update(bands=0),
            lambda card: card.update(bands=10**12),
            lambda card: card.update(window=[0, 16]),
            lambda card: card.update(extra=1),
            lambda card: card.pop("scaling"),
            lambda card: card["network"].update(kind="exec"),
            lambda card: card["network"].update(filters=10**9),
            lambda card: card["legend"].update(classes=[]),
            lambda card: card["legend"]["classes"][0].update(value=255),
            lambda card: card["scaling"]["bands"][0].pop("factor"),
            lambda card: card["scaling"].update(bands=5),
        ],
    )
    def test_a_card_that_is_not_valid(self, folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
        change(folder, edit)
        with pytest.raises(ModelError, match=r"model\.json is not a model card of this version") as caught:
            load_bundle(folder)
        assert "\n" not in str(caught.value)

    def test_a_card_that_is_no_json(self, folder: Path) -> None:
        for text in (b"", b"{", b"\xff\xfe", b"[]"):
            (folder / CARD).write_bytes(text)
            with pytest.raises(ModelError, match="not a model card"):
                load_bundle(folder)

    def test_a_scaling_of_other_bands(self, folder: Path) -> None:
        change(folder, lambda card: card["scaling"]["bands"].pop())
        with pytest.raises(ModelError, match="3 bands and the scaling of 2"):
            load_bundle(folder)

    def test_a_card_of_a_gigantic_network_takes_no_memory(self, folder: Path) -> None:
        change(folder, lambda card: card["network"].update(filters=1024, depth=8, growth=4.0))
        with pytest.raises(ModelError, match="does not hold the weights"):
            load_bundle(folder)


def test_weights_of_half_precision_are_widened(folder: Path) -> None:
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    save_file({name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}, folder / WEIGHTS)
    network = load_bundle(folder).network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 8, 8)


class Trap:
    """Whoever unpickles it is caught."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


def test_a_card_keeps_how_images_are_read_and_forgets_where_the_training_set_was() -> None:
    kept: dict[str, Any] = {
        "bands": ["red", 4],
        "extra_bands": ["../nir", "../dem/{stem}.tif"],
        "resampling": "cubic",
        "nodata": [1.0, None],
        "invalid": "any",
        "hdu": 2,
        "page": "bands",
        "array": "image",
        "axes": "bands_last",
        "picture_mpx": 7,
        "scaling": "robust",
    }
    set_of_files: dict[str, Any] = {
        "root": Path("/data"),
        "images": "images",
        "labels": ["water: b1 < 3"],
        "pair_suffix": "_mask",
        "pair_prefix": "m_",
        "pair_table": "/data/pairs.csv",
    }
    target: dict[str, Any] = {"crs": "EPSG:32633", "cell_size": 0.5}
    data = DataOptions(**kept, **set_of_files, **target)
    assert reading_of(data) == DataOptions(**kept)
    assert without_paths(data) == DataOptions(**kept, **target)
    assert "/data" not in without_paths(data).model_dump_json()
