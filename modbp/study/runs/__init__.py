"""Long runs: they resume after a kill, share processes, and say whence they came."""

__all__ = []
