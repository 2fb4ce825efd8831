"""Relevance converges alike in both spellings of a network on tokens."""

import torch
from told import done
from torch import nn

import modbp

# One network on tokens, spelled with Linear on [N, T, C] and with Conv1d(…, 1) on
# [N, C, T]. Its convergence cannot depend on the spelling.
width, tokens, depth = 16, 6, 8
linears = [nn.Linear(width, width, bias=False) for _ in range(depth)]
last = nn.Linear(width * tokens, 4, bias=False)
parts = [part for layer in linears for part in (layer, nn.ReLU())]
dense = nn.Sequential(*parts, nn.Flatten(), last).double().eval()
parts = []
for layer in linears:
    conv = nn.Conv1d(width, width, 1, bias=False)
    conv.weight.data = layer.weight.data[:, :, None].clone()
    parts += [conv, nn.ReLU()]
top = nn.Linear(width * tokens, 4, bias=False)
top.weight.data = last.weight.data.view(4, tokens, width).mT.reshape(4, -1).clone()
convs = nn.Sequential(*parts, nn.Flatten(), top).double().eval()
x = torch.rand(2, tokens, width).double()
assert torch.allclose(dense(x), convs(x.mT))
start = str(2 * depth + 1)
one = modbp.csc(dense, x, "lrp-a1b0", start, ["0"])
two = modbp.csc(convs, x.mT.contiguous(), "lrp-a1b0", start, ["0"])
a, b = one.median()["0"], two.median()["0"]
done(
    abs(a - b) < 0.01,
    f"median cosine {a:.3f} over {one.channels['0']} entries as Linear on tokens, "
    f"{b:.3f} over {two.channels['0']} as 1 × 1 convolutions",
)
