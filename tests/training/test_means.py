"""A training goes on with what it began with, and says when it cannot."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from terrazzo.models import network
from terrazzo.training.means import Means, choose_means


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Two, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def began() -> Means:
    return Means(device="cpu", precision="float32", threads=2, torch=str(torch.__version__))


def chosen(caplog: pytest.LogCaptureFixture, kept: Means | None, *, precision: str = "auto", threads: int | None = None) -> str:
    with caplog.at_level(logging.INFO):
        return choose_means("cpu", precision, threads, kept).precision


def test_a_new_run_follows_the_rule(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(network, "precision_for", lambda _: ("bfloat16", "why"))
    assert chosen(caplog, None) == "bfloat16"
    assert chosen(caplog, None, precision="float32", threads=3) == "float32"
    assert torch.get_num_threads() == 3
    assert caplog.records == []


def test_nothing_is_said_where_nothing_changed(began: Means, caplog: pytest.LogCaptureFixture) -> None:
    assert chosen(caplog, began, precision="float32") == "float32"
    assert chosen(caplog, began, precision="float32", threads=2) == "float32"
    assert caplog.records == []


@pytest.mark.parametrize(("rule", "kept"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_the_precision_stays_whatever_the_rule_says_here(
    began: Means, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, rule: str, kept: str
) -> None:
    monkeypatch.setattr(network, "precision_for", lambda _: (rule, "why"))
    assert chosen(caplog, replace(began, precision=kept)) == kept  # type: ignore[arg-type]
    assert f"Goes on in {kept}, as it began; begun here it would compute in {rule}." in caplog.text
    assert all(record.levelno == logging.INFO for record in caplog.records)


def test_the_threads_stay(began: Means, caplog: pytest.LogCaptureFixture) -> None:
    chosen(caplog, replace(began, threads=1), precision="float32")
    assert torch.get_num_threads() == 1
    assert "Goes on with 1 thread, as it began; --threads takes others." in caplog.text
    assert all(record.levelno == logging.INFO for record in caplog.records)


def test_other_threads_that_are_asked_for_are_taken_and_warned_of(began: Means, caplog: pytest.LogCaptureFixture) -> None:
    chosen(caplog, began, precision="float32", threads=1)
    assert torch.get_num_threads() == 1
    assert "This run began with 2 threads, goes on with 1: its weights will not be those of an uninterrupted run" in caplog.text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"device": "cuda"}, "began on cuda, goes on on cpu"),
        ({"torch": "2.1.0"}, f"began with torch 2.1.0, goes on with {torch.__version__}"),
    ],
    ids=["device", "torch"],
)
def test_what_cannot_stay_is_warned_of(began: Means, caplog: pytest.LogCaptureFixture, change: dict[str, str], told: str) -> None:
    chosen(caplog, replace(began, **change), precision="float32")  # type: ignore[arg-type]
    assert told in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_means_are_those_of_the_process() -> None:
    runtime = choose_means("cpu", "bfloat16", 1, None)
    assert Means.now(runtime) == Means(device="cpu", precision="bfloat16", threads=1, torch=str(torch.__version__))
