"""Train and evaluate the networks; a killed run goes on as if nothing had happened."""

import io
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from modbp.errors import (
    InputError,
    WeightsError,
    check_flag,
    check_seed,
    check_whole,
)
from modbp.files import fingerprint, hold, write_bytes
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import as_path, written
from modbp.study.runs.workers import Worker, check_device
from modbp.study.training import recipes
from modbp.study.training.accuracy import check_labels, evaluate, ranked
from modbp.study.training.recipes import RECIPES, Recipe
from modbp.zoo import data, models
from modbp.zoo.named import find_network

__all__ = ["RECIPES", "Recipe", "evaluate", "ranked", "train"]


def _augment(x, shift, generator):
    """Flip half of the images and shift all, repeating edge pixels.

    The shift is up to a share of the side, or, if it is an int, up to so many pixels,
    and then whole ones: a shift in between blurs, and what is tested later is sharp.
    """
    count = len(x)
    flip = torch.rand(count, generator=generator) < 0.5
    draw = torch.rand(count, 2, generator=generator) * 2 - 1
    # In the grid's coordinates the image is 2 wide.
    if isinstance(shift, int):
        offset = ((shift + 0.5) * draw).round() * 2 / x.shape[-1]
    else:
        offset = draw * 2 * shift
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = 1 - 2 * flip.float()
    theta[:, 1, 1] = 1
    theta[:, :, 2] = offset
    grid = F.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _erase(x, side, generator):
    """Fill a square at a random place of each image with the image's mean."""
    count, size = len(x), x.shape[-1]
    corner = torch.randint(1 - side, size, (2, count, 1), generator=generator)
    rows, columns = (torch.arange(size) - corner).to(x.device)
    inside = ((rows >= 0) & (rows < side))[:, None, :, None]
    inside = inside & ((columns >= 0) & (columns < side))[:, None, None, :]
    return torch.where(inside, x.mean((2, 3), keepdim=True), x)


def train(
    name: str, output: str | Path, *, resume: bool = False, seed: int = 0,
    folder: str | Path | None = None, download: bool = False, limit: int | None = None,
    device: str | None = None, command: str = "", **changes: object,
) -> dict:  # fmt: skip
    """Train a network and write its weights with their history.

    Everything random comes from `seed` and the number of the epoch, and every epoch
    ends with a checkpoint. A killed and resumed run therefore gives the weights of an
    uninterrupted one, bit for bit, on the same machine with as many threads.

    Parameters
    ----------
    name
        "cifar10", "vgg16", "resnet50" or "vit"; or ``file.py:function``, where that
        function returns a model with random weights, which takes colours in [0, 1].
    output : Folder for ``checkpoint.pt``, ``<name>.safetensors`` and ``<name>.json``.
    resume : Go on from the checkpoint in `output`.
    seed : Seed of weights, order, augmentation and dropout.
    folder : An image folder with ``train/`` and ``test/`` instead of CIFAR-10.
    download : Let torchvision fetch CIFAR-10 if it is not there.
    limit : Use only the first `limit` training images.
    device : "cpu", "cuda"…; the GPU where there is one.
    command : What the history names as its origin.
    **changes
        What to change of the network's recipe, such as ``epochs=3`` or ``batch=32``.

    Returns
    -------
    dict : The history that was written beside the weights.

    Raises
    ------
    DataError : If there are no images, or they have more classes than the network.
    InputError
        If `output` already holds a run and `resume` is not given, an option is out of
        range, or a network of a file comes with a transform.
    WeightsError
        If the checkpoint to resume is damaged or was made with other settings.

    Examples
    --------
    >>> from modbp.study import training
    >>> training.train("cifar10", "runs/cifar10", epochs=1)  # doctest: +SKIP
    >>> training.RECIPES["cifar10"].epochs, training.RECIPES["cifar10"].batch
    (24, 128)
    """
    recipe = recipes.chosen(name, changes)
    if limit is not None:
        check_whole("limit", limit, 1)
    device = check_device(device or Worker().device)
    check_seed(seed)
    net, stem = _fresh(name, seed)
    check_flag("resume", resume)
    output = as_path("output", output)
    checkpoint = output / "checkpoint.pt"
    _refuse_unasked(checkpoint, resume)
    # Both at once: what is missing shows now, not after the last epoch.
    x, y, source = data.dataset("train", folder=folder, download=download)
    test_x, test_y, _ = data.dataset("test", folder=folder, download=download)
    for pictures, labels in ((x, y), (test_x, test_y)):
        check_labels(net(pictures[:1].float() / 255), labels)
    x, y = x[:limit], y[:limit]
    pixels = fingerprint(x.numpy().tobytes())
    x, y = x.to(device), y.to(device)
    net = net.to(device, memory_format=torch.channels_last)
    optimizer = recipes.optimizer(net, recipe)
    steps = -(-len(x) // recipe.batch)
    settings = {"name": name, "seed": seed, "images": len(x), **asdict(recipe)}
    state = {"net": net, "optimizer": optimizer}
    labels = fingerprint(y.cpu().numpy().tobytes())
    identity = {**settings, "data_sha256": pixels, "labels_sha256": labels}

    def cycle(epoch):
        return recipes.schedule(optimizer, recipe, steps, epoch)

    with written(hold, checkpoint.with_name("lock"), kept=output):
        _refuse_unasked(checkpoint, resume)
        log = _restore(checkpoint, identity, state, cycle, device) if resume else []
        cycles = recipes.cycles(recipe)
        for epoch in range(len(log), len(cycles)):
            if epoch == cycles[epoch][0]:
                state["schedule"] = cycle(epoch)
            log.append(_epoch(net, x, y, recipe, state, seed, epoch))
            _store(checkpoint, identity, state, log)
        net = models.finished(name, net) if name == stem else net.cpu().eval()
        # What is shipped is rounded to float16, so that is what is measured.
        net.load_state_dict(models.rounded(net.state_dict()))
        history = facts(
            network=name,
            command=command,
            settings=settings,
            data=source,
            data_sha256=pixels,
            threads=torch.get_num_threads(),
            device=str(device),
            seconds=round(sum(entry["seconds"] for entry in log)),
            log=log,
            **evaluate(net, test_x, test_y),
        )
        save = partial(models.save, net)
        written(save, output / f"{stem}.safetensors", kept=output, **history)
        return history


def _fresh(name, seed):
    """Return a network with random weights, and the name of the file of its own."""
    if ".py:" not in name:
        return models.build(name, seed, training=True), name
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = find_network(name)
    if found.preparation.transform is not None:
        raise InputError(
            f"{name} comes with a transform, and training gives colours in [0, 1] as "
            "they are. Return the model alone, with what it does to colours as its "
            "first layer."
        )
    return found.net, name.rpartition(":")[2]


def _refuse_unasked(checkpoint, resume):
    if checkpoint.exists() and not resume:
        raise InputError(
            f"{checkpoint} exists: go on with --resume, or choose another --output."
        )


def _epoch(net, x, y, recipe, state, seed, epoch):
    """Train for one epoch; return what happened in it."""
    optimizer, schedule = state["optimizer"], state["schedule"]
    started = time.monotonic()
    number = 1_000_000 * seed + epoch
    generator = torch.Generator().manual_seed(number)
    torch.manual_seed(number)  # dropout draws from the global generator
    order = torch.randperm(len(x), generator=generator)
    net.train()
    total, right = 0.0, 0
    cycles = recipes.cycles(recipe)
    *_, erased = cycles[epoch]
    description = f"epoch {epoch + 1}/{len(cycles)}"
    bar = tqdm(order.split(recipe.batch), desc=description, mininterval=1)
    for chunk in bar:
        chunk = chunk.to(x.device)
        pictures = _augment(x[chunk].float() / 255, recipe.shift, generator)
        if erased:
            pictures = _erase(pictures, erased, generator)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            logits = net(pictures)
        loss = F.cross_entropy(logits.float(), y[chunk])
        if not loss.isfinite():
            raise InputError(
                f"the loss is {loss.item()} in {description}: training diverged. "
                "Choose a smaller learning_rate, or a larger batch."
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item() * len(chunk)
        right += (logits.argmax(1) == y[chunk]).sum().item()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    net.eval()
    return {
        "loss": round(total / len(x), 4),
        "accuracy": round(right / len(x), 4),
        "seconds": round(time.monotonic() - started, 1),
    }


def _store(path, settings, state, log):
    stream = io.BytesIO()
    entries = {key: value.state_dict() for key, value in state.items()}
    torch.save({"settings": settings, "log": log, **entries}, stream)
    written(write_bytes, path, stream.getvalue(), kept=path.parent)


def _restore(path, settings, state, cycle, device):
    """Put the state of a checkpoint back; return the log of its epochs."""
    if not path.exists():
        return []
    try:
        stored = torch.load(path, map_location=device, weights_only=True)
        if (before := stored["settings"]) != settings:
            differing = [
                f"{key} {before.get(key)!r} instead of {settings[key]!r}"
                for key in sorted(settings)
                if before.get(key) != settings[key]
            ]
            raise WeightsError(
                f"{path} was made with {', '.join(differing)}. Use the same options, "
                "or another --output."
            )
        state["schedule"] = cycle(len(stored["log"]) - 1)
        for key, value in state.items():
            value.load_state_dict(stored[key])
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError(
            f"{path} cannot be read ({error}). Delete it to start again."
        ) from None
    return stored["log"]
