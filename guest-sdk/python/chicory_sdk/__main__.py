"""The command line: `python3 -m chicory_sdk build DIR` and `python3 -m chicory_sdk wit DIR`."""

import argparse
import sys
from pathlib import Path

from .build import build, uses_http
from .project import BuildError, find
from .world import world


def main() -> int:
    """Runs the command; its exit code."""
    parser = argparse.ArgumentParser(prog="chicory_sdk", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("build", help="build a component from the tasks in a folder")
    make.add_argument("dir", type=Path, help="the folder with the tasks' source")
    make.add_argument("--output", type=Path, help="the component [default: DIR/build/NAME.wasm]")
    make.add_argument("--cache", type=Path, metavar="DIR", help="a folder that caches built components")
    show = commands.add_parser("wit", help="print the WIT derived from the annotations")
    show.add_argument("dir", type=Path, help="the folder with the tasks' source")
    args = parser.parse_args()
    try:
        if args.command == "wit":
            print(world(find(args.dir).tasks(), http=uses_http()), end="")
        else:
            path = build(args.dir, args.output, args.cache)
            if args.output is None:
                print(path)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
