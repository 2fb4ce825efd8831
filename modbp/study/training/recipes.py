"""How each network is trained."""

from dataclasses import asdict, dataclass

import torch
from torch import nn

from modbp.errors import check_option, check_whole, is_number, unknown_name

__all__ = ["RECIPES", "Recipe", "chosen", "cycles", "optimizer", "schedule"]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The defaults are those of the appendix D network.

    The paper's code took batches of 32, a constant learning rate of 1e-3, 100 epochs
    and float32. One cycle with batches of 128 takes a quarter of the epochs, bfloat16
    half their time. The rest, augmentation included, is the paper's. The larger two
    networks, which the paper took from ImageNet, are trained by gradient descent with
    momentum and weight decay, on images shifted by whole pixels.
    """

    epochs: int = 24
    batch: int = 128
    optimizer: str = "adam"
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    shift: float | int = 0.1
    bfloat16: bool = True
    more: tuple = ()  # further cycles: epochs, learning rate, side of what is erased


_DESCENT = {"optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4}
_DESCENT |= {"shift": 4}
RECIPES = {
    "cifar10": Recipe(),
    "resnet50": Recipe(epochs=10, more=((4, 0.05, 0),), **_DESCENT),
    "vgg16": Recipe(epochs=10, more=((5, 0.02, 0), (8, 0.05, 10)), **_DESCENT),
    "vit": Recipe(epochs=16),
}

# What else a recipe may say, and what to do about the rest.
_FITS = {
    "optimizer": (("adam", "sgd").__contains__, "choose adam or sgd."),
    "learning_rate": (lambda rate: is_number(rate) and rate > 0, "give one above 0."),
    "weight_decay": (lambda decay: is_number(decay) and decay >= 0, "give 0 or more."),
    "shift": (lambda shift: is_number(shift) and shift >= 0, "give 0 or more."),
    "bfloat16": (lambda flag: isinstance(flag, bool), "choose True or False."),
    "more": (
        lambda more: all(
            isinstance(epochs, int) and epochs > 0 and is_number(rate) and rate > 0
            for epochs, rate, _ in more
        ),
        "give epochs, learning rate and side of what is erased, for each cycle.",
    ),
}


def chosen(name: str, changes: dict) -> Recipe:
    """Return a network's recipe, changed; the default one for a network of a file."""
    if name not in list(RECIPES) and ".py:" not in str(name):
        raise unknown_name("network", name, [*RECIPES, "FILE.py:FUNCTION"])
    settings = asdict(RECIPES.get(name, Recipe()))
    for key in changes.keys() - settings.keys():
        raise unknown_name("setting", key, settings)
    if "epochs" in changes:
        settings["more"] = ()  # as many as asked for, and no more
    recipe = Recipe(**{**settings, **changes})
    for key in ("epochs", "batch"):
        check_whole(key, getattr(recipe, key), 1)
    for key, (fits, remedy) in _FITS.items():
        check_option(key, getattr(recipe, key), fits, remedy)
    return recipe


def optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimizer that a recipe asks for."""
    if recipe.optimizer == "adam":
        return torch.optim.Adam(net.parameters(), lr=recipe.learning_rate)
    return torch.optim.SGD(
        net.parameters(),
        lr=recipe.learning_rate,
        momentum=0.9,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )


def cycles(recipe: Recipe) -> list[tuple]:
    """Return each epoch's cycle: its first epoch, epochs, largest rate, erased side."""
    found = []
    for epochs, *rest in ((recipe.epochs, recipe.learning_rate, 0), *recipe.more):
        found += [(len(found), epochs, *rest)] * epochs
    return found


def schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int, epoch: int
) -> torch.optim.lr_scheduler.OneCycleLR:
    """Return the learning rates of an epoch's cycle, from the start of that cycle."""
    _, epochs, rate, _ = cycles(recipe)[epoch]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=epochs * steps
    )
