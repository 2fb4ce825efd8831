"""What a network and a chain may be given; everything else is refused by name."""

from math import isfinite

import numpy as np
import torch
from torch import nn
from torch._C._functorch import is_functorch_wrapped_tensor as is_wrapped

from modbp.errors import InputError, MethodError, UnknownName, unknown_name

__all__ = ["check_input", "check_layer", "check_parts", "check_target", "check_vector"]
__all__ += ["is_broken", "is_lost", "is_there", "out_of_range", "watch"]


# What relevance is computed in.
_TYPES = {torch.float32, torch.float64}


def check_input(net, x):
    """Return `x` if it is a finite, dense batch that fits the network's parameters."""
    if not isinstance(x, torch.Tensor):
        raise InputError(f"the input is a {type(x).__name__}; give a torch.Tensor.")
    if not torch.compiler.is_compiling() and is_wrapped(x):
        raise InputError(
            "the input belongs to torch.func, as in vmap or grad, where a network "
            "cannot be looked at. Explain all samples in one call: modbp.explain(net, "
            "x, …) takes [N, …]."
        )
    if x.layout != torch.strided:
        raise InputError(f"the input is {x.layout}; give a dense one, x.to_dense().")
    if x.dtype not in _TYPES:
        remedy = "Convert with x.float() (images in 0…255 also want dividing by 255)."
        if x.is_floating_point():
            remedy = "Convert both: net.float() and x.float()."
        if not x.is_floating_point() and _embeds(net):
            remedy = (
                "Token numbers have no relevance, their embeddings have: explain a "
                "module that does what the network does from the embeddings on."
            )
        raise InputError(
            f"the input is {x.dtype}; relevance needs float32 or float64. {remedy}"
        )
    if x.ndim < 2 or x.numel() == 0:
        raise InputError(
            f"the input has shape {list(x.shape)}; give at least one sample, samples "
            "first, as in x[None], and nothing of size 0."
        )
    parts = [*net.parameters(), *net.buffers()]
    if x.is_meta or any(part.is_meta for part in parts):
        who = "input" if x.is_meta else "network"
        raise InputError(
            f"the {who} is on the device meta, where tensors have no values. Make the "
            "input on the CPU or a GPU, and the network by net.to_empty(device='cpu') "
            "and net.load_state_dict(…)."
        )
    for path, parameter in net.named_parameters():
        if parameter.dtype != x.dtype:
            remedy = f"Convert one: x.to({parameter.dtype}) or net.to({x.dtype})."
            types = {each.dtype for each in net.parameters()}
            if len(types) > 1 or not types & _TYPES:
                remedy = f"Convert it: net.to({x.dtype})."
            raise InputError(
                f"the input is {x.dtype}, the network {parameter.dtype} (first at "
                f"{path!r}). {remedy}"
            )
        if parameter.device != x.device:
            raise InputError(
                f"the input's device is {x.device}, the network's {parameter.device} "
                f"(first at {path!r}). Convert one: x.to({str(parameter.device)!r}) or "
                f"net.to({str(x.device)!r})."
            )
    if torch.is_autocast_enabled(x.device.type):
        raise InputError(
            "autocast is on, so that layers would compute in half precision; relevance "
            "needs float32 or float64. Leave the block `with torch.autocast(...)`."
        )
    if not x.isfinite().all():
        bad = (~x.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
        raise InputError(
            f"the input holds NaN or infinite values in samples {bad}. Remove them, or "
            "repair the preprocessing."
        )
    return x


def _embeds(net):
    return any(isinstance(m, (nn.Embedding, nn.EmbeddingBag)) for m in net.modules())


def check_layer(name, calls):
    """Return the position of a layer, of which there is one of that name."""
    names = [call.name for call in calls]
    if isinstance(name, str) and name in names:
        return names.index(name)
    for call in calls:
        if isinstance(name, str) and name and name == call.folded:
            raise UnknownName(
                f"layer {name!r} is a batch norm that was folded into the layer before "
                f"it. Use {call.name!r}: relevance there belongs to the batch norm's "
                "output."
            )
    raise unknown_name("layer", name, names)


def check_vector(r, shape, like, who, more=""):
    """Return `r` as ``[K, *shape]``, of the type of `like`, and whether it had a K."""
    if not isinstance(r, torch.Tensor):
        raise InputError(f"{who} is a {type(r).__name__}; give a torch.Tensor.")
    many = r.ndim == len(shape) + 1
    if r.shape[many:] != shape or r.numel() == 0:
        wanted = ", ".join(map(str, shape))
        raise InputError(
            f"{who} has shape {list(r.shape)}; give [{wanted}], or [K, {wanted}] for "
            f"several at once{more}."
        )
    if r.dtype != like.dtype or r.device != like.device:
        raise InputError(
            f"{who} is {r.dtype} on {r.device}, the layer {like.dtype} on "
            f"{like.device}. Convert it with .to(...)."
        )
    if not r.isfinite().all():
        raise InputError(f"{who} holds NaN or infinite values. Remove them.")
    return (r if many else r[None]), many


def check_target(target, logits):
    """Return the classes to explain, ``[N, 1]`` int64; the largest logits for None."""
    if logits.ndim != 2:
        raise InputError(
            f"the network gives {list(logits.shape)} instead of [N, classes], so "
            "there is no logit to explain. Use chain.pull with a relevance of yours."
        )
    count, classes = logits.shape
    if target is None:
        return logits.argmax(1, keepdim=True)
    try:
        if isinstance(target, (np.ndarray, np.generic)):
            # Torch has no negative strides, and takes no number of type uint64.
            target = np.array(target, order="C")
        target = torch.as_tensor(target, device=logits.device)
        whole = not (target.is_floating_point() or target.is_complex())
        whole = whole and target.dtype != torch.bool
        target = target.to(torch.int64) if whole else target
    except (RuntimeError, TypeError, ValueError):
        whole = False
    if not whole:
        found = getattr(target, "dtype", repr(target))
        raise InputError(f"target is {found}; give class indices as integers.")
    if target.ndim > 1 or target.ndim == 1 and len(target) != count:
        raise InputError(
            f"target has shape {list(target.shape)}; give one class, or one for each "
            f"of the {count} samples."
        )
    bad = target[(target < 0) | (target >= classes)].flatten().tolist()
    if bad:
        raise InputError(
            f"target {bad[0]} is out of range: the network has classes 0…{classes - 1}."
        )
    return target.expand(count)[:, None]


def check_parts(parts, shapes, count, who):
    """Refuse what a rule hands down unless it is one ``[K, N, …]`` per input."""
    wanted = [(count, *shape) for shape in shapes]
    found = None
    if type(parts) is tuple and len(parts) == len(wanted):
        # None for an input that gets nothing.
        each = zip(parts, wanted, strict=True)
        found = [want if part is None else tuple(part.shape) for part, want in each]
    if found != wanted:
        raise MethodError(
            f"{who} hands down {found or 'a ' + type(parts).__name__}; it has to "
            f"return a tuple with one relevance per input, of shape {wanted}."
        )


# Relevance that leaves the range of its type ------------------------------------------


def is_broken(value):
    """Return whether an option is a tensor, or a number, that is NaN or infinite."""
    if isinstance(value, torch.Tensor):
        there = value.layout == torch.strided and not value.is_meta
        return there and not value.isfinite().all()
    return isinstance(value, float) and not isfinite(value)


def is_lost(r, above):
    """Return which of ``[K, N]`` are not finite, or zero with relevance above them."""
    return ~_flat(r).isfinite().all(2) | above & ~is_there(r)


def is_there(found):
    """Return where a rule's parts, or a relevance, are not zero throughout."""
    there = [_flat(part).any(2) for part in _parts(found)]
    return torch.stack(there).any(0) if there else torch.tensor(False, device="cpu")


def _flat(r):
    return r.reshape(*r.shape[:2], -1)


def _parts(found):
    """Return the relevances that a rule hands down, of which None is none."""
    parts = found if type(found) is tuple else (found,)
    return [part for part in parts if part is not None]


def watch(lost, step, r, who):
    """Take a step down, and refuse it where it leaves the range.

    What is `lost`, ``[K, N]``, may be zero for other reasons: then it is for relevance
    of any size.
    """
    found = step(r)
    if not all(part.isfinite().all() for part in (r, *_parts(found))):
        raise out_of_range(f"{who} gives relevance that is NaN or infinite", r)
    count = len(next(iter(_parts(found)), r))
    shares = len(r) // count  # where a relevance is read off several multipliers
    there = is_there(r).unflatten(0, (shares, count)).any(0)
    gone = lost.repeat(count // len(lost), 1) & there & ~is_there(found)
    if gone.any():
        sizes = _flat(r).abs().amax(2).where(gone.repeat(shares, 1), 1.0)
        larger = step(r / sizes.reshape(*sizes.shape, *(1,) * (r.ndim - 2)))
        # What cancels leaves zero here and its rounding there, which is none too small.
        limits = torch.finfo(r.dtype)
        wanted = torch.stack([_flat(p).abs().amax(2) for p in _parts(larger)]).amax(0)
        most = sizes.unflatten(0, (shares, count)).amax(0)
        small = wanted * most < limits.tiny / limits.eps
        if (gone & is_there(larger) & small).any():
            told = "so small that nothing but zeros is left"
            raise out_of_range(f"{who} gives relevance {told}", r)
    return found


def out_of_range(what, values):
    """Return the error of values that left the range of their type."""
    remedy = (
        "It may fit into float64: give net.double() and x.double(), or "
        "--precision float64 to the command run."
        if values.dtype == torch.float32
        else "Choose another method, or options and weights of a common size."
    )
    return InputError(f"{what}. {remedy}")
