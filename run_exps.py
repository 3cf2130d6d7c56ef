"""Run scenarios: `python run_exps.py experiments/quickstart`; `--help` shows the rest."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

DESCRIPTION = """Run RecBridge scenarios: YAML files with RecBole's settings and a list of commands.

All files are checked before any runs; every problem is shown with file, line and column.
"""
EXAMPLES = """examples:
  python run_exps.py experiments/quickstart            run a folder of scenarios, then compare them
  python run_exps.py my.yaml --check                   find every mistake without running anything
  python run_exps.py my.yaml --info                    the model's layer tree, for set_outputs
  python run_exps.py my.yaml --set epochs=5            change a setting for this time
  python run_exps.py experiments/quickstart --resume   go on after a crash or Ctrl-C
  python run_exps.py --list commands                   what a scenario may say

exit codes: 0 all went well, 1 a run failed or was cancelled, 2 a scenario is invalid
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="run_exps.py",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a scenario, or a folder: its *.yaml in name order")
    parser.add_argument("--start_with", type=int, default=0, metavar="N", help="skip the first N scenarios")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--check", action="store_true", help="check the scenarios and run nothing")
    instead.add_argument("--info", action="store_true", help="print each scenario's layer tree and train nothing")
    instead.add_argument(
        "--resume",
        action="store_true",
        help="go on where runs were cut short, and run nothing again that is done",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="a setting for all scenarios",
    )
    parser.add_argument(
        "--list",
        choices=["commands", "losses", "recommenders", "settings"],
        dest="listing",
        help="what there is; the settings of one model with --set model=NAME",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        from utils import cli
    except ModuleNotFoundError as error:
        print(
            f"{error.name} is not installed in {sys.executable}; run: pip install .  (see README.md)", file=sys.stderr
        )
        return 1

    if options.listing:
        if options.paths:
            parser.error("--list takes no scenario")
        return cli.show_listing(options.listing, options.overrides)
    if not options.paths:
        parser.error("give a scenario or a folder, or --list")
    return cli.run(
        options.paths,
        options.start_with,
        options.overrides,
        check=options.check,
        info=options.info,
        resume=options.resume,
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # `... | head` has seen enough; without this, Python complains once more as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
