"""What the output does not need is not refused."""

import torch
from told import must_work
from torch import nn


# A network returns logits and probabilities. modbp's message says to wrap it in a
# module that returns the logits alone.
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        z = self.fc(x)
        return {"logits": z, "probabilities": z.softmax(1)}


class Logits(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)["logits"]


must_work(Logits(Net()).double().eval(), torch.rand(2, 6).double(), "wrapped as told")
