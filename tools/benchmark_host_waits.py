r"""Count, without a GPU, how often a config's model would wait for one.

Runs a few steps on a simulated GPU (``vatrack.engine.SimulatedGPU``), with random weights and made
data, and fails where tensors of host and GPU meet that a true GPU refuses. Per training step and
per frame in testing it prints how often the host waits and how many operations the GPU is given.

Examples:
    python tools/benchmark_host_waits.py configs/*_synthetic.py
    python tools/benchmark_host_waits.py configs/vatrack_qd_synthetic.py --by line
    python tools/benchmark_host_waits.py configs/*_synthetic.py --write tests/models/host_waits.json
"""
from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from mmengine.logging import MMLogger

from vatrack.apis import load_config, parse_options
from vatrack.apis.errors import USER_ERRORS, user_message
from vatrack.apis.gpu_use import by_place, count_gpu_use
from vatrack.engine import MixedDevicesError
from vatrack.stopping import run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Count and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+')
    parser.add_argument('--batch', type=int, default=2, help='clips of a training batch')
    parser.add_argument('--steps', type=int, default=2, help='training steps to count')
    parser.add_argument('--frames', type=int, default=4, help='frames of the video to test')
    parser.add_argument('--by', choices=['file', 'line'], help='print where the waits are')
    parser.add_argument('--write', type=Path, metavar='FILE',
                        help='note the waits in this JSON file, beside those of other configs')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE')
    args = parser.parse_args(argv)
    if min(args.batch, args.steps, args.frames) < 1:
        parser.error('--batch, --steps and --frames must be at least 1')
    MMLogger.get_instance('benchmark_host_waits', log_level='ERROR')  # not a line for every weight
    noted = json.loads(args.write.read_text()) if args.write and args.write.is_file() else {}
    width = max(len(Path(path).stem) for path in args.configs)
    print(f'{"":{width}}  {"training step":>19}  {"frame in testing":>19}\n{"config":{width}}'
          + f'  {"waits":>8} {"operations":>10}' * 2)
    for path in args.configs:
        name = Path(path).stem
        try:
            config = load_config(path, parse_options(args.cfg_options))
            uses = count_gpu_use(config, args.batch, args.steps, args.frames)
        except (*USER_ERRORS, MixedDevicesError) as error:
            print(f'error: {name}: {user_message(error)}', file=sys.stderr)
            return 1
        print(f'{name:{width}}' + ''.join(
            f'  {use.waits_each:8.1f} {use.operations_each:10.0f}' for use in uses.values()),
            flush=True)
        for what, use in uses.items() if args.by else ():
            for count, kind, place in by_place(use, lines=args.by == 'line'):
                print(f'  {what:16} {count:6.1f} {kind:13} {place}')
        noted[name] = {what: round(use.waits_each, 2) for what, use in uses.items()}
    if args.write:
        args.write.write_text(json.dumps(dict(sorted(noted.items())), indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
