"""A hook that records is not in the way, and keeps a tensor."""

import torch
from told import done
from torch import nn

import modbp
from modbp.errors import ModbpError

# A hook that records a block's output, as every Grad-CAM leaves behind.
kept = {}
net = nn.Sequential(nn.Sequential(nn.Linear(6, 5), nn.ReLU()), nn.Linear(5, 3))
net = net.double().eval()
net[0].register_forward_hook(lambda m, i, o: kept.__setitem__("block", o.detach()))
x = torch.rand(2, 6).double()
net(x)
try:
    modbp.explain(net, x, target=0, method="gradient")
    refused = ""
except ModbpError as error:
    refused = f"refused, {str(error)[:60]}; "
intact = isinstance(kept["block"], torch.Tensor)
done(
    not refused and intact,
    f"a recording hook: {refused}the record is a {type(kept['block']).__name__}",
)
