"""The command line, one file per verb: ``python -m modbp VERB``.

Each has ``add``, which describes the verb to a parser, and ``run``, which does it and
imports what is heavy first then, so that ``--help`` comes at once.
"""

__all__ = []
