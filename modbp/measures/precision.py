"""More digits than a network computes with."""

__all__ = ["in_float64"]


def in_float64(values):
    """Return a tensor in float64, on the CPU if its own device may not have it."""
    return (values if values.device.type in ("cpu", "cuda") else values.cpu()).double()
