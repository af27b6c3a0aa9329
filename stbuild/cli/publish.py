"""`stbuild publish`: build a project, check it, and store its bundle, signed, in a registry or a folder."""

import argparse
import os
import re
import sys
from contextlib import closing
from importlib import import_module
from types import ModuleType
from typing import Any

from stbuild.cli.parser import add_build_options
from stbuild.cli.request import build_options, cache_dir, display_of, make_request, open_workspace
from stbuild.cli.transfer import Line, megabytes
from stbuild.engine.record.events import Events
from stbuild.errors import StbuildError
from stbuild.layout import NATIVE_CPU

BASELINE = "x86-64-v3"
_KEY = "STBUILD_KEY"


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    add = parser.add_argument
    add("label", metavar="LABEL", help="a project's folder")
    add(
        "destination", metavar="DESTINATION", help="oci://HOST/REPOSITORY:TAG, or a folder, perhaps with :TAG"
    )
    about = f"the private key that signs: a PEM file, or a signer's URI such as gcpkms:… (default: ${_KEY})"
    add("--key", metavar="KEY", help=about)
    add("--public-key", metavar="FILE", help="the public key of a signer's URI")
    about = "name the weights by digest and do not send them: this place has them"
    add("--weights-from", metavar="PLACE", help=about)
    add(
        "--builder",
        type=_uri,
        metavar="URI",
        help="who builds, as SLSA's builder.id (default: urn:stbuild:local)",
    )
    add_build_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Build and publish."""
    storing, reference = _module("storing"), _module("reference")
    key = options.key or os.environ.get(_KEY)
    keys = _module("keys")
    if not key:
        raise StbuildError("publish signs, and needs a key: --key FILE", hint=f"make one: {keys.MAKE_KEY}")
    where = options.weights_from
    publication = storing.Publication(
        reference=reference.parse_reference(options.destination),
        signer=keys.open_signer(key, options.public_key),
        weights_from=reference.parse_reference(where) if where else None,
        **({"builder": options.builder} if options.builder is not None else {}),
    )
    if options.set or options.weights:
        hint = "what is published is built from what its sources say"
        raise StbuildError("publish takes neither --set nor --weights: write them in BUILD.yaml", hint=hint)
    options.cpu = options.cpu or BASELINE
    if options.cpu == NATIVE_CPU:
        raise StbuildError("--cpu native is for this machine only", hint=f"leave it out for {BASELINE}")
    workspace = open_workspace()
    display = display_of(options)
    publishing = _module("publishing")
    with closing(display), Line("sent") as line:
        build = publishing.Build(
            workspace=workspace,
            request=make_request(workspace, options, [options.label]),
            options=build_options(workspace, options),
            events=Events(display),
            command=" ".join(sys.argv[1:]),
            cache_dir=cache_dir(options),
        )
        done = publishing.publish(build, publication, line)
    _tell(done)
    return 0


def _uri(text: str) -> str:
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", text):
        return text
    raise argparse.ArgumentTypeError(f"takes a URI such as https://ci.example/runner, got {text!r}")


def _module(name: str) -> ModuleType:
    """A part of `publish`; its libraries take time to import, which other commands do not need."""
    return import_module(f"stbuild.publish.{name}")


def _tell(done: Any) -> None:
    print(f"published: {done.reference.place}:{done.reference.tag}, version {done.serial}")
    print(f"digest: {done.reference.digest}")
    print(f"files: {done.files}, {megabytes(done.bytes)}{'' if done.new else '; nothing has changed'}")
