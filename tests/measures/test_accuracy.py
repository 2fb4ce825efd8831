"""How often the right class is among the first."""

import pytest
import torch
from sklearn.metrics import top_k_accuracy_score

from modbp.errors import InputError
from modbp.measures import accuracy
from modbp.study import experiments, training


def test_by_hand():
    logits = torch.tensor([[3.0, 1.0, 2.0], [1.0, 1.0, 1.0], [0.0, 5.0, 1.0]])
    assert accuracy.places(logits, torch.tensor([1, 2, 1])).tolist() == [2, 2, 0]
    # Wilson, z = 1.96, 1 of 4: (1/4 + z²/8 ± z sqrt(3/64 + z²/256)) / (1 + z²/4)
    found = accuracy.shares(torch.tensor([0, 1, 2, 3]), 5)
    assert found[1] == pytest.approx((0.25, 0.04559, 0.69936), abs=1e-4)
    assert list(found) == [1]  # among five all are among the first five


def test_the_shares_are_those_of_scikit_learn():
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(300, 12, generator=draw)
    y = torch.randint(12, (300,), generator=draw)
    for top, (share, low, high) in accuracy.shares(
        accuracy.places(logits, y), 12
    ).items():
        wanted = top_k_accuracy_score(y, logits, k=top, labels=range(12))
        assert share == pytest.approx(wanted) and low < share < high


def test_as_an_experiment(tmp_path):
    about = experiments.subject("cifar10", count=7, folder="photographs", target="true")
    made = experiments.Accuracy(about, batch=3)
    found = experiments.run(made, tmp_path / "accuracy")["results"]["accuracy"]
    wanted = training.ranked(about.net, about.images)
    assert {k: pytest.approx(v, abs=1e-4) for k, v in found.items()} == {
        f"top-{top}": [*each] for top, each in wanted.items()
    }
    other = experiments.subject("vgg16", count=2, target="predicted")
    with pytest.raises(InputError, match="target is 'predicted'.*true classes"):
        experiments.Accuracy(other)
