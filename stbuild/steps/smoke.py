"""Runs the smoke prompts on the device of a bundle and records what it says, and apart from that how fast."""

import json
import os
from pathlib import Path

from stbuild.layout import LEASED, LOCKS, lease_place
from stbuild.step import F, Step, arg, main, out, out_tree

LEASE_VARIABLES = (LOCKS, LEASED)
"""By which the step finds the lease of its card."""


def lease_folder() -> str:
    """The folder in which the step makes or finds it."""
    return str(lease_place())


class Smoke(Step[F]):
    """Run smoke prompts on a device."""

    bundle: F = arg("the bundle")
    design: F = arg("the design")
    prompts: F = arg("token ids of the prompts, and the number of new tokens")
    records: F = out_tree("one record per prompt")
    tokens: F = out("prompts and tokens")
    measured: F = out("measured times")
    device: str = arg("what to run on: native, a card by name, or xrt, the card of the resource `card`")
    model: F | None = arg("the program of the device model behind XRT", default=None)

    def run(self: "Smoke[Path]") -> None:
        from stbuild.chain.record import PromptTokens, SmokeTokens, record_path
        from stbuild.chain.recording import measured, records_of
        from stbuild.ir import serde
        from stbuild.ops.files import read_design
        from stbuild.package.bundle import load_bundle
        from stbuild.runtime.devices.lease import card_lease
        from stbuild.runtime.devices.opening import open_device

        bundle, design = load_bundle(self.bundle), read_design(self.design)
        wanted = json.loads(self.prompts.read_text())
        self.records.mkdir(parents=True, exist_ok=True)
        name = f"xrt:{os.environ['STBUILD_CARD']}" if self.device == "xrt" else self.device
        runs = []
        with card_lease(bundle, name):
            device = open_device(bundle, name, model=self.model)
            description = device.description
            found = records_of(device, design, bundle, wanted["prompts"], wanted["new_tokens"])
            for number, (run, record) in enumerate(found):
                serde.write(record_path(self.records, number), record)
                runs.append(run)
            device.close()
        tokens = tuple(PromptTokens(prompt=run.prompt, tokens=run.tokens) for run in runs)
        serde.write(self.tokens, SmokeTokens(prompts=tokens))
        serde.write(self.measured, measured(runs, description))


if __name__ == "__main__":
    main(Smoke)
