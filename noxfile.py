"""Build and check the book: `python3 noxfile.py VERB`.

Nothing but Python is needed: the first run makes one environment in `.venv`, which all
verbs share. Where nox is installed already, `nox -s VERB` does the same.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
BUILD = ROOT / "_build"
PAGES = BUILD / "html"

VERBS = {
    "book": "run every chapter and write the pages to _build/html",
    "tests": "run the tests; arguments after -- go to pytest",
    "lint": "check format and style of the code, the chapters' code included",
    "bench": "compare the cost with Captum and Zennit; -- --quick for less",
    "lab": "open JupyterLab; chapters (.md) open as notebooks",
    "clean": "delete what the other verbs made, except the environment",
}

# Of the user's settings, those that would lead an install or an import elsewhere.
ASTRAY = ("PIP_PREFIX", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH")

# Settings and history of programs stay in the environment, and foreign ones outside.
OWN = {
    "IPYTHONDIR": str(ENVIRONMENT / "home" / "ipython"),
    "JUPYTER_CONFIG_DIR": str(ENVIRONMENT / "home" / "jupyter"),
    "JUPYTER_DATA_DIR": str(ENVIRONMENT / "home" / "jupyter-data"),
    "MPLCONFIGDIR": str(ENVIRONMENT / "home" / "matplotlib"),
    "npm_config_cache": str(ENVIRONMENT / "home" / "npm"),
}


def missing():
    """Return one line about what this Python lacks, or nothing."""
    if sys.version_info < (3, 11):
        found = "%d.%d" % sys.version_info[:2]
        return "this is Python %s; install Python 3.11 or newer and use that." % found
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        return "this Python has no module %r; install it (python3-venv)." % error.name
    return ""


def digest(*patterns):
    """Hash names and contents of the files that match."""
    total = hashlib.sha256()
    for path in sorted({p for pattern in patterns for p in ROOT.glob(pattern)}):
        if path.is_file():
            total.update(str(path.relative_to(ROOT)).encode() + b"\0")
            total.update(path.read_bytes())
    return total.hexdigest()


def prepare():
    """Make the shared environment, or bring it up to date."""
    for name in ASTRAY:
        os.environ.pop(name, None)
    stamp = ENVIRONMENT / "installed"
    # Its programs name their folder and Python: elsewhere it has to be made anew.
    origin = "%s Python %d.%d" % (ROOT, *sys.version_info[:2])
    wanted = origin + "\n" + digest("requirements.txt", "pyproject.toml")
    found = stamp.read_text(encoding="utf-8") if stamp.exists() else ""
    if found == wanted:
        return
    import venv

    print(
        "Preparing the environment in .venv (once; this takes minutes) ...", flush=True
    )
    # Without its stamp it is what an install left that was interrupted: begin again.
    clear = found.split("\n")[0] != origin
    if found:
        stamp.unlink()
    venv.create(ENVIRONMENT, clear=clear, with_pip=True, symlinks=os.name != "nt")
    install = [BIN / "python", "-m", "pip", "install", "-r", "requirements.txt"]
    if subprocess.call([*map(str, install), "-e", "."], cwd=str(ROOT)):
        raise SystemExit(
            "noxfile.py: the install stopped; the lines above say why. Mend that, and "
            "give the same command again."
        )
    # Last: an install that was interrupted is done again.
    stamp.write_text(wanted, encoding="utf-8")


def images():
    """Say which images are there; modbp.data looks in the same places."""
    home = Path(os.environ.get("MODBP_DATA") or Path.home() / ".cache" / "modbp")
    marks = ("cifar10/.complete", "cifar10/test", "cifar-10-batches-py")
    return " ".join(mark for mark in marks if (home / mark).exists())


def drop_stale_results():
    """Forget the chapters' outputs when something beside their own text changes."""
    stamp = BUILD / "made-from"
    sources = (
        "modbp/**/*.py modbp/figures/* modbp/zoo/weights/* modbp/study/results/**/*"
    )
    sources += " modbp/study/ledger/claims.json"
    wanted = digest("requirements.txt", *sources.split()) + " " + images()
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(BUILD / ".jupyter_cache", ignore_errors=True)
        BUILD.mkdir(exist_ok=True)
        stamp.write_text(wanted, encoding="utf-8")


def chapters():
    """Return the pages that have cells."""
    texts = sorted((ROOT / "book").glob("*.md"))
    return [
        path
        for path in texts
        if "format_name: myst" in path.read_text(encoding="utf-8")
    ]


def execute(session):
    """Run the chapters whose outputs are not kept yet, side by side, on a core each.

    Jupyter Book alone runs one after the other, and then finds them in the same cache.
    What fails here it runs again, and reports.
    """
    cache = BUILD / ".jupyter_cache"
    cache.mkdir(parents=True, exist_ok=True)
    environment = {**OWN, "JUPYTER_BOOK_BUILD": "1", "OMP_NUM_THREADS": "1"}
    add = ["notebook", "-p", cache, "add", "--reader", "myst_nb_md", *chapters()]
    run = ["project", "-p", cache, "execute", "--executor", "local-parallel"]
    # A chapter that has been renamed since would still be looked for.
    forget = ["notebook", "-p", cache, "clear", "--force"]
    session.run(BIN / "jcache", *forget, env=environment, silent=True)
    session.run(BIN / "jcache", *add, env=environment, silent=True)
    session.run(BIN / "jcache", *run, "--timeout", "240", env=environment)


def pages():
    """Return the pages that the table of contents names."""
    text = (ROOT / "book" / "_toc.yml").read_text(encoding="utf-8")
    names = re.findall(r"^[\s-]*(?:root|file): *(\S+)", text, re.MULTILINE)
    return [PAGES / (name + ".html") for name in names]


def remove_made():
    """Delete pages and caches."""
    caches = (".pytest_cache", ".ruff_cache", ".hypothesis")
    for name in ("_build", *caches):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    print("Deleted pages and caches; the environment .venv stays.")


if __name__ == "__main__":
    verbs = [word for word in sys.argv[1:] if not word.startswith("-")][:1]
    if not verbs or verbs[0] not in VERBS:
        print("usage: python3 noxfile.py VERB, where VERB is one of")
        print("\n".join("  %-7s%s" % pair for pair in VERBS.items()))
        raise SystemExit(2)
    problem = missing()
    if problem:
        raise SystemExit("noxfile.py: " + problem)
    if verbs == ["clean"]:
        raise SystemExit(remove_made())
    prepare()
    command = [str(BIN / "python"), "-m", "nox", "-s", *sys.argv[1:]]
    os.chdir(str(ROOT))
    if os.name == "nt":
        raise SystemExit(subprocess.call(command))
    os.execv(command[0], command)  # nobody in between when Ctrl-C is pressed

import nox  # noqa: E402 - only the environment made above has it

nox.options.default_venv_backend = "none"
nox.options.sessions = ["book", "tests"]


@nox.session
def book(session):
    """Run every chapter and write the pages to _build/html."""
    prepare()
    drop_stale_results()
    stamp = BUILD / "pages-made-from"
    wanted = digest(
        *"_config.yml noxfile.py book/* book/static/* book/_ext/*.py".split()
    )
    wanted += (BUILD / "made-from").read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        if all(page.exists() for page in pages()):
            print("\nNothing has changed. The book: %s" % (PAGES / "index.html"))
            return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(PAGES, ignore_errors=True)
    execute(session)
    session.run(
        *(BIN / "jupyter-book", "build", "book", "--config", "_config.yml"),
        *("--path-output", ".", "--all", "-W", "-n", "--keep-going"),
        env={**OWN, "JUPYTER_BOOK_BUILD": "1"},
    )
    for page in pages():
        if not page.exists():
            session.error("the build did not make %s" % page)
    stamp.write_text(wanted, encoding="utf-8")
    print("\nThe book: %s" % (PAGES / "index.html"))


@nox.session
def tests(session):
    """Run the tests; arguments after -- go to pytest."""
    prepare()
    # The pages are read in one process while the other computes, on a core each.
    parallel = ["-n", "2", "--dist", "loadfile"]
    environment = {**OWN, "OMP_NUM_THREADS": "1"}
    command = [BIN / "python", "-m", "pytest", *parallel, *session.posargs]
    session.run(*command, env=environment)


@nox.session
def lint(session):
    """Check format and style of the code, the chapters' code included."""
    prepare()
    places = ["modbp", "tests", "noxfile.py", "book/_ext"]
    notebooks = BUILD / "lint"
    shutil.rmtree(notebooks, ignore_errors=True)
    for path in chapters():
        target = notebooks / (path.stem + ".ipynb")
        target.parent.mkdir(parents=True, exist_ok=True)
        convert = [BIN / "jupytext", "--quiet", "--to", "ipynb", "--output"]
        session.run(*convert, target, path, env=OWN, silent=True)
        places.append(str(target.relative_to(ROOT)))
    for check in (["format", "--check"], ["check"]):
        session.run(BIN / "ruff", *check, "--no-respect-gitignore", *places)


@nox.session
def bench(session):
    """Compare the cost with Captum and Zennit; arguments after -- choose what."""
    prepare()
    session.run(BIN / "python", "tests/study/bench/run.py", *session.posargs, env=OWN)


@nox.session
def lab(session):
    """Open JupyterLab; chapters (.md) open as notebooks."""
    prepare()
    settings = {
        "docmanager-extension:plugin": {
            "defaultViewers": {"markdown": "Jupytext Notebook"}
        },
        "apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
        },
    }
    path = Path(
        OWN["JUPYTER_CONFIG_DIR"], "labconfig", "default_setting_overrides.json"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"@jupyterlab/" + k: v for k, v in settings.items()})
    path.write_text(text, encoding="utf-8")
    session.run(BIN / "jupyter-lab", "book", *session.posargs, env=OWN)


@nox.session
def clean(session):
    """Delete what the other verbs made, except the environment."""
    remove_made()
