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
NOTEBOOKS = BUILD / "notebooks"
LAB = BUILD / "lab"

VERBS = {
    "book": "run every chapter and write the pages to _build/html",
    "tests": "run the tests; arguments after -- go to pytest",
    "lint": "check format and style of the code, the chapters' code included",
    "pdf": "write the whole book as one PDF to _build/pdf; wants a Chromium",
    "student": "write what has no solutions to _build/student; -- --seal renews checks",
    "slides": "write a deck for every session of the course to _build/slides",
    "teacher": "write quizzes and notebooks with answers to _build/teacher",
    "bench": "compare the cost with Captum and Zennit; -- --quick for less",
    "lab": "open copies of the chapters' notebooks in JupyterLab",
    "notebooks": "run them where only the wheel is; -- --part 1/3 for a third",
    "clean": "delete what the other verbs made, except the environment",
}

# Of the user's settings, those that would lead an install or an import elsewhere.
ASTRAY = (
    *("PIP_DRY_RUN", "PIP_NO_DEPS", "PIP_PREFIX", "PIP_PYTHON", "PIP_ROOT"),
    *("PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH"),
)

# Settings and history of programs stay in the environment, and foreign ones outside.
HOMES = {
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "jupyter",
    "JUPYTER_DATA_DIR": "jupyter-data",
    "MPLCONFIGDIR": "matplotlib",
    "npm_config_cache": "npm",
}


def missing():
    """Return one line about what this Python lacks, or nothing."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        found = "%d.%d" % sys.version_info[:2]
        remedy = "install Python 3.11 or newer, up to 3.14, and use that."
        return "this is Python %s; %s" % (found, remedy)
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        return "this Python has no module %r; install it (python3-venv)." % error.name
    return ""


def stop(why):
    """End with one sentence on what went wrong and how to go on."""
    raise SystemExit("noxfile.py: " + why + "give the same command again.")


def digest(*patterns):
    """Hash names and contents of the files that match."""
    total = hashlib.sha256()
    for path in sorted({p for pattern in patterns for p in ROOT.glob(pattern)}):
        if path.is_file():
            total.update(os.fsencode(path.relative_to(ROOT)) + b"\0")
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
    try:
        venv.create(ENVIRONMENT, clear=clear, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.SubprocessError) as error:
        stop("no environment can be made in .venv (%s). Mend that, and " % error)
    python = str(BIN / "python")
    # The same settings may stand in a file of pip's, which options outdo.
    install = [python, "-m", "pip", "install", "--no-user", "--target="]
    wishes = ["-r", "requirements.txt", "-e", "."]
    if subprocess.call([*install, *wishes], cwd=str(ROOT)):
        stop("the install stopped; the lines above say why. Mend that, and ")
    arrived = "import sys, importlib.util as u; sys.exit(not u.find_spec('nox'))"
    if subprocess.call([python, "-c", arrived], cwd=str(ROOT)):
        stop("pip installed elsewhere: see `pip config list`. Mend that, and ")
    # Last: an install that was interrupted is done again.
    stamp.write_text(wanted, encoding="utf-8")


def own(**more):
    """Return what the environment's programs are told, and make their homes."""
    places = {key: ENVIRONMENT / "home" / name for key, name in HOMES.items()}
    for place in places.values():
        # IPython warns where there is none.
        place.mkdir(parents=True, exist_ok=True)
    told = {key: str(place) for key, place in places.items()}
    # Without it programs on Windows read and write in the country's code page.
    return {**told, "PYTHONUTF8": "1", **more}


def data():
    """Return the folder for images, where modbp.data looks too."""
    named = os.environ.get("MODBP_DATA") or "~/.cache/modbp"
    return Path(named).expanduser().absolute()


def images():
    """Say which images are there."""
    marks = ("cifar10/.complete", "cifar10/test", "cifar-10-batches-py")
    return " ".join(mark for mark in marks if (data() / mark).exists())


def drop_stale_results():
    """Forget the chapters' outputs when something beside their own text changes."""
    stamp = BUILD / "made-from"
    sources = (
        "modbp/**/*.py modbp/figures/* modbp/zoo/weights/* modbp/study/results/**/*"
    )
    sources += " modbp/study/ledger/claims.json modbp/study/paper/*.json"
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
    """Run the chapters whose outputs are not kept yet, side by side.

    Jupyter Book alone runs one after the other, and then finds them in the same cache.
    """
    cache = BUILD / ".jupyter_cache"
    cache.mkdir(parents=True, exist_ok=True)
    environment = own(JUPYTER_BOOK_BUILD="1", OMP_NUM_THREADS="1")
    command = [BIN / "python", ROOT / "book" / "_ext" / "execute.py", cache]
    session.run(*command, *chapters(), env=environment)


def pages():
    """Return the pages that the table of contents names."""
    text = (ROOT / "book" / "_toc.yml").read_text(encoding="utf-8")
    names = re.findall(r"^[\s-]*(?:root|file): *(\S+)", text, re.MULTILINE)
    return [PAGES / (name + ".html") for name in names]


def reading_order():
    """Return for each plain notebook the name of its copy, which says its place."""
    names = [page.stem for page in pages()]
    names = [n for n in names if (NOTEBOOKS / (n + ".ipynb")).exists()]
    numbered = enumerate(["start", *names])
    return {name: "%02d-%s.ipynb" % (place, name) for place, name in numbered}


def as_made():
    """Return the copies that `lab` made, each with its checksum and its original's."""
    record = LAB / ".as-made.json"
    return json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}


def mine():
    """Return what the user changed or wrote in the folder of the copies."""
    made = {LAB / name: sums[0] for name, sums in as_made().items()}
    files = [p for p in LAB.rglob("*") if p.is_file() and p.name != ".as-made.json"]
    files = [p for p in files if ".ipynb_checkpoints" not in p.parts]
    return sorted(p for p in files if made.get(p) != checksum(p.read_bytes()))


def checksum(content):
    """Hash what a user writes: of a notebook its cells, without what running adds."""
    try:
        cells = json.loads(content)["cells"]
        said = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
        content = json.dumps(said).encode()
    except (ValueError, KeyError, TypeError):
        pass  # no notebook
    return hashlib.sha256(content).hexdigest()


def copy_notebooks():
    """Bring the copies up to date, and return those that the user changed."""
    LAB.mkdir(parents=True, exist_ok=True)
    order, changed, made, before = reading_order(), mine(), {}, as_made()
    for path in LAB.glob("*.ipynb"):
        if path not in changed and path.name not in order.values():
            path.unlink()  # of a chapter that has another place now
    for name, copy in order.items():
        text = (NOTEBOOKS / (name + ".ipynb")).read_text(encoding="utf-8")
        for other, its in order.items():
            text = re.sub(r"(?<=\]\()%s\.ipynb" % re.escape(other), its, text)
        content, path = text.encode(), LAB / copy
        sums = [checksum(content), hashlib.sha256(content).hexdigest()]
        if path in changed:
            made[copy] = before.get(copy, [None, None])
            continue
        made[copy] = sums
        # What was run stays run while the book has nothing new.
        if not path.exists() or before.get(copy) != sums:
            path.write_bytes(content)
    (LAB / ".as-made.json").write_text(json.dumps(made), encoding="utf-8")
    return changed


def remove_made():
    """Delete pages and caches, but nothing that the user wrote."""
    caches = (".pytest_cache", ".ruff_cache", ".hypothesis")
    written = mine()
    for path in [*BUILD.glob("*"), *(ROOT / name for name in caches)]:
        if path == LAB and written:
            print("Kept _build/lab: %s there is yours." % written[0].name)
        elif path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
    print("Deleted pages and caches; the environment .venv stays.")


if __name__ == "__main__":
    verbs = [word for word in sys.argv[1:] if not word.startswith("-")][:1]
    if not verbs or verbs[0] not in VERBS:
        print("usage: python3 noxfile.py VERB, where VERB is one of")
        print("\n".join("  %-11s%s" % pair for pair in VERBS.items()))
        raise SystemExit(2)
    problem = missing()
    if problem:
        raise SystemExit("noxfile.py: " + problem)
    if verbs == ["clean"]:
        raise SystemExit(remove_made())
    if os.environ.get("MODBP_DATA"):  # named from here, read from elsewhere
        os.environ["MODBP_DATA"] = str(data())
    try:
        prepare()
    except KeyboardInterrupt:
        stop("interrupted; to go on, ")
    command = [str(BIN / "python"), "-X", "utf8", "-m", "nox", "-s", *sys.argv[1:]]
    os.chdir(str(ROOT))
    if os.name == "nt":
        raise SystemExit(subprocess.call(command))
    os.execv(command[0], command)  # nobody in between when Ctrl-C is pressed

import nox  # noqa: E402 - only the environment made above has it

nox.options.default_venv_backend = "none"
nox.options.sessions = ["book", "tests"]


def write_pages(session, place, **more):
    """Write the pages to _build/html of a folder, from kept outputs."""
    session.run(
        *(BIN / "jupyter-book", "build", "book", "--config", "_config.yml"),
        *("--path-output", place, "--all", "-W", "-n", "--keep-going"),
        env=own(JUPYTER_BOOK_BUILD="1", **more),
    )


@nox.session
def book(session):
    """Run every chapter and write the pages to _build/html."""
    prepare()
    drop_stale_results()
    stamp = BUILD / "pages-made-from"
    wanted = digest(
        *"_config.yml noxfile.py pyproject.toml book/* book/static/*".split(),
        *("book/_ext/*.py", "book/teaching/*", "book/teaching/slides/*"),
    )
    wanted += (BUILD / "made-from").read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        if all(page.exists() for page in [*pages(), NOTEBOOKS / "start.ipynb"]):
            print("\nNothing has changed. The book: %s" % (PAGES / "index.html"))
            return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(PAGES, ignore_errors=True)
    execute(session)
    write_pages(session, ROOT)
    for page in pages():
        if not page.exists():
            session.error("the build did not make %s" % page)
    stamp.write_text(wanted, encoding="utf-8")
    print("\nThe book: %s" % (PAGES / "index.html"))


@nox.session
def pdf(session):
    """Write the whole book as one PDF to _build/pdf; wants a Chromium."""
    book(session)
    target = BUILD / "pdf" / "explanations-that-forget.pdf"
    script = ROOT / "book" / "_ext" / "paper.py"
    session.run(BIN / "python", script, PAGES, target, env=own())


@nox.session
def tests(session):
    """Run the tests; arguments after -- go to pytest."""
    prepare()
    # Each process has half of the files, and takes from the other's when it is done.
    parallel = ["-n", "2", "--dist", "worksteal"]
    environment = own(OMP_NUM_THREADS="1")
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
        session.run(*convert, target, path, env=own(), silent=True)
        places.append(str(target.relative_to(ROOT)))
    for check in (["format", "--check"], ["check"]):
        session.run(BIN / "ruff", *check, "--no-respect-gitignore", *places)


def from_pages(session, name):
    """Make something of the built pages, in a folder beside them."""
    book(session)
    target, script = BUILD / name, ROOT / "book" / "_ext" / (name + ".py")
    shutil.rmtree(target, ignore_errors=True)
    session.run(BIN / "python", script, PAGES, target, env=own())
    print("\nMade: %s" % ", ".join(map(str, sorted(target.glob("*.html")))))


def hand_out(session, target):
    """Write a zip for each session of the course, of the notebooks in a folder."""
    wheel, script = make_wheel(session), ROOT / "book" / "_ext" / "handout.py"
    session.run(BIN / "python", script, target / "notebooks", wheel, target, env=own())


@nox.session
def student(session):
    """Write pages and notebooks without solutions, one zip for each session.

    With -- --seal all solutions run, and what answers are compared with is kept.
    """
    book(session)
    work, target = BUILD / "student-work" / "_build", BUILD / "student"
    for place in (work, target):
        shutil.rmtree(place, ignore_errors=True)
    script = [BIN / "python", ROOT / "book" / "_ext" / "student.py", NOTEBOOKS]
    seals = ROOT / "modbp" / "study" / "course.json"
    asked = ["--seal", seals] if "--seal" in session.posargs else []
    told = own(OMP_NUM_THREADS="1")
    session.run(*script, work / "notebooks", *asked, env=told)
    shutil.copytree(BUILD / ".jupyter_cache", work / ".jupyter_cache")
    write_pages(session, work.parent, MODBP_EDITION="student")
    for name in ("html", "notebooks"):
        shutil.move(str(work / name), str(target / name))
    shutil.rmtree(work.parent)
    hand_out(session, target)
    print("\nFor students: %s" % (target / "html" / "index.html"))


@nox.session
def slides(session):
    """Write a deck for every session of the course to _build/slides."""
    from_pages(session, "slides")


@nox.session
def teacher(session):
    """Write quizzes with their answers, and solutions that are checked."""
    from_pages(session, "teacher")
    target, script = BUILD / "teacher", ROOT / "book" / "_ext" / "student.py"
    command = [BIN / "python", script, "--solutions", NOTEBOOKS, target / "notebooks"]
    session.run(*command, env=own())
    hand_out(session, target)


@nox.session
def bench(session):
    """Compare the cost with Captum and Zennit; arguments after -- choose what."""
    prepare()
    session.run(BIN / "python", "tests/study/bench/run.py", *session.posargs, env=own())


@nox.session
def lab(session):
    """Open copies of the chapters' notebooks in JupyterLab."""
    prepare()
    if not (NOTEBOOKS / "start.ipynb").exists():
        book(session)
    for path in copy_notebooks():
        print("%s stays as you left it." % path.relative_to(BUILD))
    print("For a fresh copy delete or rename a notebook, then give this verb again.")
    news = {"fetchNews": "false", "checkForUpdates": False}
    environment = own()
    path = Path(environment["JUPYTER_CONFIG_DIR"], "labconfig")
    path = path / "default_setting_overrides.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"@jupyterlab/apputils-extension:notification": news})
    path.write_text(text, encoding="utf-8")
    command = [BIN / "jupyter-lab", LAB / "00-start.ipynb", *session.posargs]
    session.run(*command, env=environment)


def make_wheel(session):
    """Return the module as a file that pip installs."""
    made = BUILD / "wheel"
    shutil.rmtree(made, ignore_errors=True)
    pip = [BIN / "python", "-m", "pip", "--quiet"]
    session.run(*pip, "wheel", "--no-deps", "--wheel-dir", made, ".", env=own())
    (wheel,) = made.glob("*.whl")
    return wheel


@nox.session
def notebooks(session):
    """Run each plain notebook in an empty folder; arguments after -- choose a part."""
    prepare()
    book(session)
    wheel, place = make_wheel(session), BUILD / "notebooks-env"
    python = place / BIN.relative_to(ENVIRONMENT) / "python"
    stamp = place / "installed"
    wanted = "Python %d.%d " % sys.version_info[:2] + digest("requirements.txt")
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print("Preparing an environment from the wheel (this takes minutes) ...")
        session.run(BIN / "python", "-m", "venv", "--clear", place)
    install = [python, "-m", "pip", "--quiet", "install", "-c", "requirements.txt"]
    session.run(*install, "%s[live]" % wheel, "ipykernel", "nbclient", env=own())
    # pip leaves a wheel of the same version alone, whatever is in it.
    session.run(*install, "--force-reinstall", "--no-deps", wheel, env=own())
    stamp.write_text(wanted, encoding="utf-8")
    empty = BUILD / "notebooks-data"
    empty.mkdir(exist_ok=True)
    files = [NOTEBOOKS / (name + ".ipynb") for name in reading_order()]
    homes = {key: str(place / "home" / name) for key, name in HOMES.items()}
    for home in homes.values():
        Path(home).mkdir(parents=True, exist_ok=True)
    alone = ROOT / "book" / "_ext" / "alone.py"
    told = {
        **homes,
        "PYTHONUTF8": "1",
        "OMP_NUM_THREADS": "1",
        "MODBP_DATA": str(empty),
    }
    command = [python, alone, BUILD / "notebooks-run", *session.posargs, *files]
    session.run(*command, env=told)


@nox.session
def clean(session):
    """Delete what the other verbs made, except the environment."""
    remove_made()
