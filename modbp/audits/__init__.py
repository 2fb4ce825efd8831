"""Audits: which explanation methods look at a network's decision, and which do not.

The function is :func:`modbp.audit`; a package of that name would stand in its place
behind the door as soon as it is imported.
"""

from modbp.audits.audit import audit, forecast, versions
from modbp.audits.result import AuditResult, assembled
from modbp.audits.work import Work

__all__ = ["AuditResult", "Work", "assembled", "audit", "forecast", "versions"]
