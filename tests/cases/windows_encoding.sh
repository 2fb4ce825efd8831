#!/bin/sh
# Under Windows' usual code page (simulated by a locale of that name) files are still UTF-8.
# usage: 07_windows_encoding.sh REPOSITORY PYTHON
repo=$(realpath "$1"); python=$2
place=$(mktemp -d); trap 'rm -r "$place"' EXIT
localedef -i en_US -f CP1252 "$place/en_US.CP1252" 2>/dev/null
export LOCPATH="$place" LC_ALL=en_US.CP1252 PYTHONUTF8=0 PYTHONPATH="$repo" PYTHONIOENCODING=utf-8
cd "$repo/book" || exit 2
bad=0
"$python" - <<'P' || bad=1
import locale, sys
if locale.getencoding().lower() != "cp1252":
    print("cannot simulate here"); sys.exit(2)
sys.path.insert(0, "..")
import noxfile
try:
    print(len(noxfile.chapters()), "chapters"); noxfile.pages()
except UnicodeDecodeError as error:
    print("noxfile.py:", str(error)[:80]); sys.exit(1)
P
"$python" - <<'P' || bad=1
import sys
from modbp import ModbpError
from modbp.study import ledger
try:
    print(len(ledger.read()), "claims")
except (UnicodeDecodeError, ModbpError) as error:
    print("ledger:", len(str(error)), "characters of message"); sys.exit(1)
P
exit $bad
