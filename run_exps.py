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
  python run_exps.py folder --seeds 1..5 --jobs 2      five runs of each, two at once, and what tests say of them
  python run_exps.py --report folder                   one page with tables, tests, curves and costs
  python run_exps.py --query "model=SASRec ndcg@10>0.1"  which runs there are
  python run_exps.py --rerun saved/RUN                 repeat a run; do the numbers agree?
  python run_exps.py my.yaml --show-subgraph 13        the page of what was retrieved for user 13
  python run_exps.py --list commands                   what a scenario may say

exit codes: 0 all went well, 1 a run failed or was cancelled, 2 a scenario or a flag is invalid
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
    parser.add_argument("--seeds", metavar="1,2,3", help="one run of each scenario per seed; 1..5 is 1,2,3,4,5")
    parser.add_argument("--baseline", metavar="NAME", help="the scenario that all others are compared with")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on where runs were cut short, and run nothing again that is done",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=_positive, default=1, metavar="N", help="N experiments at once on this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="run on the workers of this Dask scheduler")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--check", action="store_true", help="check the scenarios and run nothing")
    instead.add_argument("--info", action="store_true", help="print each scenario's layer tree and train nothing")
    instead.add_argument("--report", action="store_true", help="write report.html, .csv and .png of the PATHs' runs")
    instead.add_argument(
        "--show-subgraph", metavar="USER", help="write a page of what the scenario has retrieved for this user"
    )
    instead.add_argument("--rerun", metavar="RECORD", help="repeat a run (its record, folder or id) and compare")
    instead.add_argument("--query", metavar="TEXT", help='runs that fit, e.g. "model=SASRec ndcg@10>0.1"')
    instead.add_argument("--worker", metavar="ADDRESS", help="be N (--jobs) workers of this Dask scheduler")
    instead.add_argument("--one-worker", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("--out", metavar="DIR", help="where --report and --show-subgraph write; else beside PATH")
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
        choices=["commands", "losses", "recommenders", "retrievers", "settings"],
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
        _only_with(parser, options, "listing", "overrides")
        return cli.show_listing(options.listing, options.overrides)
    if options.worker or options.one_worker:
        _only_with(parser, options, "worker", "one_worker", "jobs")
        return cli.serve(options.worker, options.one_worker, options.jobs)
    if options.query is not None:
        _only_with(parser, options, "query", "paths")
        return cli.query(options.query, options.paths)
    if options.rerun:
        _only_with(parser, options, "rerun")
        return cli.rerun(options.rerun)
    if not options.paths:
        parser.error("give a scenario or a folder, or --list")
    if options.report:
        _only_with(parser, options, "report", "paths", "baseline", "out")
        return cli.report(options.paths, options.baseline, options.out)
    if options.show_subgraph is not None:
        _only_with(parser, options, "show_subgraph", "paths", "out", "overrides")
        return cli.show_subgraph(options.paths, options.show_subgraph, options.out, options.overrides)
    checked = () if options.info else ("scheduler", "baseline", "seeds")
    running = () if options.info or options.check else ("resume", "jobs")
    _only_with(parser, options, "check", "info", "paths", "start_with", "overrides", *checked, *running)
    how = cli.How(options.resume, options.jobs, options.scheduler, options.baseline)
    return cli.run(
        options.paths, options.start_with, options.overrides, options.check, options.info, options.seeds, how
    )


_MODES = ("listing", "worker", "query", "rerun", "report", "show_subgraph", "check", "info")


def _only_with(parser: argparse.ArgumentParser, options: argparse.Namespace, *read: str) -> None:
    """Refuse flags that the chosen mode would ignore."""
    flags = {action.dest: (action.option_strings or ["PATH"])[0] for action in parser._actions}
    ignored = [
        flags[name]
        for name, value in vars(options).items()
        if name not in read and value != parser.get_default(name) and value not in ([], None)
    ]
    if ignored:
        mode = next((f"with {flags[name]}" for name in _MODES if getattr(options, name)), "when scenarios are run")
        parser.error(f"{', '.join(ignored)} would be ignored {mode}")


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"got {text}; accepted: a whole number greater than 0")
    return number


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # `... | head` has seen enough; without this, Python complains once more as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
