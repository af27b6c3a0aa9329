"""`python -m stbuild`: answers at once when nothing changed, else hands over to the command line."""

import sys
import time


def main() -> int:
    """Run the command line with this process's arguments."""
    began = time.perf_counter()
    argv = sys.argv[1:]
    from stbuild.engine import noop

    answer = noop.ask(argv)
    if answer is not None:
        count, lines = answer
        status = f"done: 0 run, {count} cached in {time.perf_counter() - began:.2f} s"
        print("\n".join([status, *lines]))
        return 0
    from stbuild.cli.main import run

    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
