"""The ledger counts what tensors hold, real ones and fake ones alike."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from terrazzo.training.finders.ledger import Ledger

KIB = 1024


def test_it_counts_what_is_made_until_it_is_freed() -> None:
    with Ledger() as ledger:
        one = torch.zeros(KIB, dtype=torch.uint8)
        two = torch.zeros(2 * KIB, dtype=torch.uint8)
        assert ledger.live == 3 * KIB
        del one
        assert (ledger.live, ledger.peak) == (2 * KIB, 3 * KIB)
        ledger.mark()
        assert ledger.peak == 2 * KIB
        del two
    assert (ledger.live, ledger.peak) == (0, 2 * KIB)


def test_views_of_a_tensor_are_not_counted_again_and_keep_it() -> None:
    with Ledger() as ledger:
        whole = torch.zeros(4, KIB, dtype=torch.uint8)
        row = whole[1].view(2, -1)
        row.add_(1)
        del whole
        assert ledger.live == ledger.peak == 4 * KIB
        del row
        assert ledger.live == 0


def test_what_the_gradient_keeps_counts_until_it_went_back() -> None:
    weight = torch.ones(KIB, dtype=torch.float32, requires_grad=True)
    with Ledger() as ledger:
        loss = weight.exp().square().sum()
        # the exponential is kept for the gradient of both, its square for none
        assert ledger.peak == 2 * 4 * KIB + 4
        assert ledger.live == 4 * KIB + 4
        loss.backward()  # type: ignore[no-untyped-call]
        assert ledger.live == 4 * KIB + 4
    assert weight.grad is not None


def test_tensors_that_were_there_before_count_when_they_are_held() -> None:
    before = torch.zeros(KIB, dtype=torch.uint8)
    ledger = Ledger()
    ledger.hold([before, before[:9]])
    assert ledger.live == KIB
    del before
    assert ledger.live == 0


def test_fake_tensors_count_as_if_they_were_real() -> None:
    with FakeTensorMode(), Ledger() as ledger:
        product = torch.empty(2**20, 2**20) @ torch.empty(2**20, 1)
        assert ledger.live == 4 * 2**20
        assert ledger.peak == 4 * (2**40 + 2 * 2**20)
        del product
