"""Operator.adjoint of lrp-gamma must be the transpose of Operator.matrix()."""

import sys

import torch

import modbp

torch.manual_seed(0)
net = (
    torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    .double()
    .eval()
)
x = torch.rand(1, 6, dtype=torch.float64)
ch = modbp.chain(net, x, "lrp-gamma")
op = ch.operator("0", 0)
M = op.matrix()
T = torch.stack(
    [op.adjoint(e[None])[0] for e in torch.eye(6, dtype=torch.float64)]
)  # rows: M
print("outputs of the layer:", ch.output("0"))
print(
    "max |adjoint - matrix|:",
    (T - M).abs().max().item(),
    " scale",
    M.abs().max().item(),
)
print(
    "column sums by matrix",
    M.sum(0).tolist(),
    "by column_sums()",
    op.column_sums()[0].tolist(),
)
print("norm by svd", torch.linalg.svdvals(M)[0].item(), "by norm()", (op.norm().item()))
sys.exit(0 if torch.allclose(T, M) else 1)
