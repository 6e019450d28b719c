"""Look at videos with truth and predictions side by side, in a web browser.

A page on this machine to step and play through videos: visible, amodal and
occluded parts, identities, and what is wrong with the predictions. Nothing is
fetched from the internet; stop it with Ctrl-C.

Examples:
    python tools/browse.py data/synthetic/val.json data/synthetic/val
    python tools/browse.py configs/vatrack_qd_synthetic.py --pred results.json --open
    python tools/browse.py ANN IMAGES --pred results.json --html page --max-videos 20
    python tools/browse.py ANN IMAGES --pred results.json --films films
"""
from __future__ import annotations

import argparse
import signal
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # for Ctrl-C while all this is imported

from vatrack.apis.config import ConfigError, load_config
from vatrack.apis.errors import user_message
from vatrack.browse import BrowseServer, Source, export_page
from vatrack.files import load_annotations, read_results
from vatrack.stopping import run_tool
from vatrack.visualization import render_results


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', metavar='CONFIG_OR_ANN',
                        help='annotation file, or config whose test data is taken')
    parser.add_argument('image_root', metavar='IMAGE_ROOT', nargs='?',
                        help='folder to which the file names in the annotation file are relative; '
                        "default: the config's; without any, outlines alone are shown")
    parser.add_argument('--pred', metavar='RESULTS', help='result file with predicted tracks')
    parser.add_argument('--score-thr', type=float, default=0.3, metavar='SCORE',
                        help='hide tracks with a lower score (default: %(default)s); the page can '
                        'change it, files have no tracks below')
    parser.add_argument('--videos', nargs='+', metavar='NAME', help='only these (default: all)')
    parser.add_argument('--max-videos', type=int, metavar='N', help='only the first N')
    parser.add_argument('--every', type=int, default=1, metavar='N',
                        help='only every N-th frame of each video (page and --html)')
    serve = parser.add_argument_group('the server')
    serve.add_argument('--port', type=int, help='default: the first free one from 8760')
    serve.add_argument('--host', default='127.0.0.1',
                       help='address to listen on (default: %(default)s, this machine only)')
    serve.add_argument('--open', action='store_true', help="open the page in the system's browser")
    files = parser.add_argument_group('files instead of a server')
    choice = files.add_mutually_exclusive_group()
    choice.add_argument('--html', metavar='DIR', help='write the page into a folder, with copies '
                        'of the frames; DIR/index.html opens without a server')
    choice.add_argument('--films', metavar='DIR',
                        help='write a film per video and a contact sheet')
    files.add_argument('--fps', type=float, default=10.0,
                       help='frames per second of the films (default: %(default)s)')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve or write; returns the exit code."""
    args = parse_args(argv)
    try:
        ann_file, image_root = locate(args.data, args.image_root)
        if args.films:
            films(args, ann_file, image_root)
            return 0
        source = Source(ann_file, image_root, args.pred, videos=args.videos,
                        max_videos=args.max_videos, every=args.every)
        if args.html:
            print(export_page(source, args.html, args.score_thr))
        else:
            serve(args, source)
    except (ValueError, OSError) as error:
        print(f'error: {user_message(error)}', file=sys.stderr)
        return 2
    return 0


def locate(data: str, image_root: str | None) -> tuple[str, str | None]:
    """Annotation file and image folder, out of the test data of a config if that is given.

    Raises:
        ConfigError: The config is broken, or has no test data.
    """
    if Path(data).suffix != '.py':
        return data, image_root
    dataset = load_config(data).get('test_dataloader', {}).get('dataset', {})
    if not dataset.get('ann_file'):
        raise ConfigError(f'{data}: test_dataloader.dataset.ann_file is not set; give the '
                          'annotation file itself')
    root = dataset.get('data_root') or ''
    images = Path(root, dataset.get('data_prefix', {}).get('img_path', ''))
    return str(Path(root, dataset.ann_file)), image_root or str(images)


def films(args: argparse.Namespace, ann_file: str, image_root: str | None) -> None:
    """Draw films and a contact sheet, and print their paths."""
    if image_root is None:
        raise ValueError('films need the frames: give IMAGE_ROOT')
    annotations = load_annotations(ann_file)
    tracks = read_results(args.pred, annotations) if args.pred else None
    written = render_results(annotations, tracks, image_root, args.films,
                             score_thr=args.score_thr, videos=args.videos,
                             max_videos=args.max_videos, fps=args.fps)
    print('\n'.join(str(path) for path in written))


def serve(args: argparse.Namespace, source: Source) -> None:
    """Answer until Ctrl-C."""
    with BrowseServer(source, args.score_thr, args.host, args.port) as server:
        print(f'{server.url}   (stop with Ctrl-C)', flush=True)
        if args.open:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == '__main__':
    sys.exit(run_tool(main))
