"""A classifier of torchvision is given the picture that its weights want."""

import skimage.data
from PIL import Image

from modbp.zoo.named import find_network
from modbp.zoo.vision import load_torchvision

models = load_torchvision().models
picture = Image.fromarray(skimage.data.chelsea())
bad = 0
for name in ("resnet101", "vgg19", "inception_v3", "densenet121"):
    want = models.get_model_weights(name).DEFAULT.transforms()(picture)
    got = find_network(name, None).preparation(picture)
    off = ((got - want).std() / want.std()).item()
    most = (got - want).abs().max()
    print(f"{name}: off by {off:.1%} of the picture's spread, {most:.2f} at most")
    bad += off > 0.02
raise SystemExit(bad > 0)
