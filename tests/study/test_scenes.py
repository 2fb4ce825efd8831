"""Scenes with a question: squares are where masks say, and answers are true."""

import pytest
import torch
from conftest import long_but

import modbp
from modbp.study import scenes


def test_masks_and_answers_are_those_of_the_squares():
    x, question, answer, masks = scenes.scenes(50, seed=3)
    assert x.shape == (50, 3, 12, 12) and 0 <= x.min() and x.max() <= 1
    assert (masks.sum((2, 3)) == 16).all() and (masks.sum(1) <= 1).all()
    for n in range(50):
        mask = masks[n, question[n]].bool()
        colour = torch.eye(3)[question[n]][:, None]
        # A full square has 16 pixels of its colour, a hollow one 12.
        own = (x[n][:, mask] == colour).all(0).sum()
        assert own == (12 if answer[n] else 16)


@pytest.mark.parametrize("early", long_but(lambda early: not early, [True, False]))
def test_a_trained_network_answers_what_it_never_saw(early):
    x, question, answer, _ = scenes.scenes(200, seed=100)
    net = scenes.trained(early)
    right = net(scenes.asked(x, question)).argmax(1) == answer
    assert right.double().mean() > 0.9


def test_a_late_question_changes_no_matrix_below_the_mean():
    x, question, _, _ = scenes.scenes(2, seed=0)
    net = scenes.Answering(False).eval()
    chains = [
        modbp.chain(net, scenes.asked(x, (question + step) % 3), "lrp-a1b0")
        for step in (0, 1)
    ]
    r = torch.rand(2, 32)
    one, two = (chain.pull(r, "look.7")["input"] for chain in chains)
    torch.testing.assert_close(one, two)
    assert not torch.allclose(chains[0].logits, chains[1].logits)


def test_mass_counts_positive_relevance_of_the_picture_alone():
    r = torch.zeros(1, 6, 12, 12)
    r[0, 0, 0, 0], r[0, 1, 5, 5], r[0, 2, 7, 7], r[0, 4, 9, 9] = 3.0, 1.0, -2.0, 9.0
    mask = torch.zeros(1, 12, 12)
    mask[0, 0, 0] = 1
    assert scenes.mass(r, mask).item() == pytest.approx(3 / 4)
