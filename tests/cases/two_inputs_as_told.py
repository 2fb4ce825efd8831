import sys

import torch
import torch.nn.functional as F
from torch import nn

import modbp
from modbp.errors import ModbpError

torch.manual_seed(0)
torch.set_num_threads(1)


def gradient(net, x, target=0):
    """What autograd says, by the model itself."""
    x = x.clone().requires_grad_()
    y = net(x)
    return torch.autograd.grad((y if y.ndim == 1 else y[:, target]).sum(), x)[0]


def done(fine, text):
    print(("right: " if fine else "WRONG: ") + text)
    sys.exit(0 if fine else 1)


def same_or_refused(net, x, what):
    """Fine if the explanation is that of the function net(x), or if it is refused."""
    try:
        found = modbp.explain(net, x, target=0, method="gradient")
    except ModbpError as error:
        done(True, f"{what}: refused, {str(error)[:90]}")
    error = (found - gradient(net, x)).abs().max().item()
    done(error < 1e-10, f"{what}: gradient differs from autograd's by {error:.2g}")


def must_work(net, x, what):
    try:
        found = modbp.explain(net, x, target=0, method="gradient")
    except ModbpError as error:
        done(False, f"{what}: refused, {str(error)[:150]}")
    error = (found - gradient(net, x)).abs().max().item()
    done(error < 1e-10, f"{what}: gradient differs from autograd's by {error:.2g}")


# Two inputs are refused: "Wrap it in a module whose forward takes one tensor".
class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.top = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(8, 2)

    def forward(self, u, v):
        return self.top(torch.cat([F.relu(self.a(u)), F.relu(self.b(v))], 1))


class One(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x[:, :3], x[:, 3:])


must_work(One(Two()).double().eval(), torch.rand(2, 6).double(), "wrapped as told")
