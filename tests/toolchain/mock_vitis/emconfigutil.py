"""A mock of emconfigutil: writes emconfig.json for one emulated card."""

import json
import sys
from pathlib import Path


def main() -> int:
    """Write the file."""
    if "--version" in sys.argv:
        print("****** configutil v2022.2 (64-bit) mock of the tests of stbuild")
        return 0
    words = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    if set(words) != {"--platform", "--nd", "--od"}:
        print(f"ERROR: [MOCK 50] unrecognised options among {sorted(words)}")
        return 1
    devices = [{"Name": words["--platform"]} for _ in range(int(words["--nd"]))]
    Path(words["--od"], "emconfig.json").write_text(
        json.dumps({"Platform": {"Boards": [{"Devices": devices}]}})
    )
    return 0
