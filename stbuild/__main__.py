"""`python -m stbuild`: answers at once when nothing changed, else hands over to the command line."""

import sys


def main() -> int:
    """Run the command line with this process's arguments."""
    from stbuild.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
