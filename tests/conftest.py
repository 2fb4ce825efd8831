"""The built pages, and a browser to read them in; skips say what is missing."""

import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

SITE = Path(__file__).parents[1] / "_build" / "html"
# Pages that between them have all that pages are made of; the long run reads the rest.
TELLING = ("index", "phenomenon", "theorem", "ledger")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def long_but(telling, values):
    """Return values as parameters, those that tell less marked for the long run."""
    long = {"marks": pytest.mark.long}
    return [v if telling(v) else pytest.param(v, **long) for v in values]


def in_the_suite(names):
    """Return names of pages, those that the suite can leave out marked as long."""
    return long_but(lambda name: Path(name).stem in TELLING, names)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def site():
    """The address of the built pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all pages."""
    api = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync"]
    with api.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=path, args=quiet)
        yield chromium
        chromium.close()


def pytest_collection_modifyitems(items):
    """Begin with the browser, which takes longest, so that no process waits for it."""
    items.sort(key=lambda item: item.path.name != "test_site.py")
