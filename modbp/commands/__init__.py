"""The command line, one file per verb: ``python -m modbp VERB``."""

__all__ = []
