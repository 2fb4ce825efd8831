"""Long runs: they resume after a kill, share processes, and say who made them."""

__all__ = []
