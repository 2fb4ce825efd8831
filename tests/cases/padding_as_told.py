import sys

import torch
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


# A padding of its own before the convolution.
net = nn.Sequential(
    nn.ReflectionPad2d(1),
    nn.Conv2d(3, 4, 3),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(256, 3),
)
must_work(
    net.double().eval(), torch.rand(2, 3, 8, 8).double(), "a padding layer of its own"
)
