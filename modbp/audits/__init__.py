"""Audits: which explanation methods look at a network's decision, and which do not."""

__all__ = []
