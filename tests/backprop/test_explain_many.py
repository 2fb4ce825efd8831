"""Several methods explain a network after one look at it."""

import torch

import modbp
from modbp.backprop.explain import explain_many


def test_several_methods_look_at_a_network_once_and_explain_as_alone():
    net, looks = modbp.models.dense([[1, -1], [2, 1]], [[1, 1], [1, -1]]), []
    x = torch.tensor([[3.0, 2.0], [1.0, 2.0]], dtype=torch.float64)
    names = {"one": "gradient", "other": modbp.methods.get("lrp-z", output="one")}
    alone = {key: modbp.explain(net, x, each, 0) for key, each in names.items()}
    net.register_forward_hook(lambda *_: looks.append(1))
    found = explain_many(net, x, names, 0)
    assert len(looks) == 1 and found.keys() == names.keys()
    assert all(torch.equal(found[key], alone[key]) for key in names)
