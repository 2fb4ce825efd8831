"""The verb ``audit``: which explanation methods look at a network's decision."""

import argparse
import os
from dataclasses import replace

from modbp.commands import words
from modbp.errors import InputError, check_once

__all__ = ["add", "run"]

# Pictures that are enough for a verdict, and quick.
_COUNT = 20


def add(verbs: argparse._SubParsersAction) -> None:
    """Describe the verb to a parser."""
    about = "tell which explanation methods look at a network's decision"
    parser = words.new(verbs, "audit", about)
    words.add_network(parser, "efficientnet_lite0")
    words.add_colours(parser)
    words.add_images(
        parser,
        "COUNT|DIR",
        "how many, or a folder of pictures, or both; 'photographs' are built in "
        f"[{_COUNT} of the folder, of the network's own, or else photographs]",
    )
    words.add_methods(parser, "all that the network supports; FILE.py:FUNCTION too")
    parser.add_argument(
        "--target",
        type=words.target,
        default="predicted",
        metavar="true|predicted|NUMBER",
        help="class to explain [predicted]",
    )
    parser.add_argument("--size", type=int, help="side in pixels [the network's]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="where to compute [cpu]")
    parser.add_argument(
        "--output",
        default="report.html",
        metavar="PAGE",
        help="page to write, with its JSON beside it, and in PAGE.parts what is "
        "finished, so that the same command goes on [report.html]",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Audit each method, or go on with it, and write the report."""
    from modbp.audits.result import report_path
    from modbp.study import experiments

    page = report_path(options.output)
    parts = page.with_suffix(".parts")
    for path in (page, page.with_suffix(".json")):
        if os.path.lexists(path) and not parts.is_dir():
            raise InputError(
                f"{path}: is there already. Give another name with --output."
            )
    methods, made_by = None, {}
    if options.methods:
        methods, made_by = _methods(options.methods)
    try:
        given = {"seed": options.seed, "made_by": made_by}
        experiment = experiments.Audit(_subject(options), methods, **given)
        print(f"{experiment.subject.images}; {experiment.subject.preprocessing}")
        for label, why in experiment.work.left_out.items():
            print(f"left out: {label}: {why}")
        found = experiments.run(experiment, parts, command=options.command)
        result = experiment.result(found, options.command)
        result.report(page)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Give the same command again to go on.") from None
    print(result)
    print(f"wrote {page} and {page.with_suffix('.json')}")


def _methods(labels):
    """Return methods by label, those of a file made by its function, and the files."""
    from modbp.backprop import methods
    from modbp.files import fingerprint
    from modbp.study.experiments import method
    from modbp.zoo import script

    check_once("methods", labels)
    found, made_by = {}, {}
    for label in labels:
        path, _, function = label.rpartition(":")
        if path.endswith(".py"):
            found[label], files = script.call(path, function)
            known = (str, methods.Method, methods.Averaged)
            if not isinstance(found[label], known) and not callable(found[label]):
                raise InputError(
                    f"{label} returns a {type(found[label]).__name__}; let it return "
                    "the method, a function (net, x, target) -> map."
                )
            told = (
                f"{file.name} has the SHA-256 {fingerprint(file)}" for file in files
            )
            made_by[label] = "\n".join(told)
        else:
            found[label] = method(label)
    return found, made_by


def _subject(options):
    """Return the network with pictures, of a folder with classes from all of them."""
    from modbp.measures.places import evenly
    from modbp.study import experiments

    count, folder = words.place(options.images)
    keys = "weights size mean std seed target device".split()
    given = {key: getattr(options, key) for key in keys}
    about = experiments.subject(options.network, count=count, folder=folder, **given)
    images = about.images
    if count is None and not images.place.is_cifar10:
        images = images.at(evenly(range(images.place.count), _COUNT))
    return replace(about, images=images if count else images[:_COUNT])
