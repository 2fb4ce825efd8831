"""Long runs: they resume after a kill, share processes, and say where they came from."""

__all__ = []
