"""Scoring as a function: results of any model and format, to numbers or to a submission."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vatrack.evaluation.evaluate import evaluate
from vatrack.evaluation.metric_names import ALL_METRICS
from vatrack.evaluation.miou import MeanIoU
from vatrack.evaluation.protocols import get_protocol
from vatrack.evaluation.report import full_report, save_metrics
from vatrack.evaluation.tracking import Tracking
from vatrack.evaluation.truth import truth_kinds
from vatrack.files import ResultError, load_annotations, read_results, read_selection
from vatrack.files.foreign.formats import FORMATS
from vatrack.files.foreign.ytvis import export_ytvis
from vatrack.structures import MASK_KINDS, AnnotationFile, TrackRecord

#: Name of our own format beside those of :data:`FORMATS`.
OWN_FORMAT = 'vatrack'
#: The format that holds boxes alone.
BOX_FORMAT = 'mot'


@dataclass(frozen=True)
class Scoring:
    """What is scored, and how.

    Attributes:
        results: One file of our own, or one file or folder of another format
            for each of ``kinds``.
        format: Name in :data:`FORMATS`, or 'vatrack'.
        kinds: Kinds of truth to score; empty: all that the annotations have.
        metrics: Names of metrics; empty: AP and vAP, those of boxes if the
            results are boxes, mIoU of selected tracks.
        protocol: Name of the evaluation protocol.
        score_thr: Replaces that of the protocol.
        occlusion_bins: Replace those of the protocol.
        per_category: Numbers of every category too.
        tracks: Selection of tracks, see :mod:`vatrack.files.track_selection`, to
            which mIoU is restricted; None: all.
        subset: Name of a subset of their frames; None: all of them.
        workers: Processes that share the videos.
        import_options: Options of the format.
    """

    results: Sequence[str | Path]
    format: str = OWN_FORMAT
    kinds: Sequence[str] = ()
    metrics: Sequence[str] = ()
    protocol: str = 'sailvos-full'
    score_thr: float | None = None
    occlusion_bins: Sequence[float] | None = None
    per_category: bool = False
    tracks: str | Path | None = None
    subset: str | None = None
    workers: int = 1
    import_options: Mapping[str, Any] = field(default_factory=dict)


def score_file(scoring: Scoring, ann_file: str | Path, out: str | Path | None = None,
               submission: str | Path | None = None,
               note: Callable[[str], Any] = print) -> dict[str, float] | list[Path]:
    """Score results against an annotation file, print the table and write the numbers.

    If the file holds no truth, the results become archives for a server.

    Args:
        scoring: What is scored, and how.
        ann_file: Annotation file, with or without truth.
        out: JSON of the numbers; None: beside the results.
        submission: Folder of the archives; None: that of the results.
        note: Takes messages about the results.

    Returns:
        Numbers as :func:`vatrack.evaluation.evaluate.evaluate` gives them, or
        the archives.

    Raises:
        ResultError: Results are damaged, do not fit the annotations, or lack a kind.
        AnnotationError: The annotation file or the selection is damaged.
        ValueError: An option contradicts another.
    """
    wanted = _metrics(scoring)
    if scoring.subset is not None and scoring.tracks is None:
        raise ValueError(f'a subset, {scoring.subset!r}, is one of a selection: give that too')
    selection = None if scoring.tracks is None else read_selection(scoring.tracks, scoring.subset)
    annotations = load_annotations(ann_file)
    tracks = load_tracks(scoring, annotations, note)
    if not any(frame.instances for _, frame in annotations.frames):
        note(f'{ann_file} holds no truth, so nothing is scored')
        return _submit(scoring, tracks, annotations, submission)
    if not tracks:
        note(f'{scoring.results[0]} holds no track: all objects count as missed')
    kinds = _truth_kinds(scoring, annotations)
    _check_kinds(scoring, tracks, kinds)
    protocol = get_protocol(scoring.protocol, scoring.score_thr, scoring.occlusion_bins)
    metrics = evaluate(annotations, tracks, wanted, protocol, kinds,
                       workers=scoring.workers, progress=True, per_category=scoring.per_category,
                       selection=selection)
    if scoring.format == BOX_FORMAT:
        metrics = {name: value for name, value in metrics.items() if '/box/' in name}
    print(full_report(annotations, metrics, protocol))
    path = Path(out) if out is not None else Path(scoring.results[0]).with_suffix('.metrics.json')
    save_metrics(path, metrics, protocol, str(ann_file))
    print(f'numbers: {path}')
    return metrics


def load_tracks(scoring: Scoring, annotations: AnnotationFile,
                note: Callable[[str], Any] = print) -> list[TrackRecord]:
    """Read the results of a scoring, whatever their format.

    Raises:
        ResultError: They are damaged or do not fit the annotations.
        ValueError: There is not one file for each kind.
    """
    if scoring.format == OWN_FORMAT:
        if len(scoring.results) != 1:
            raise ValueError('a result file of our own holds both kinds: give one')
        return read_results(scoring.results[0], annotations)
    if not scoring.kinds or len(scoring.kinds) != len(scoring.results):
        raise ValueError(f'files of format {scoring.format} hold one kind each: say which with '
                         f'--kind, got {len(scoring.results)} files and kinds {scoring.kinds}')
    sources = dict(zip(scoring.kinds, scoring.results, strict=True))
    return FORMATS[scoring.format].read(sources, annotations, note, **scoring.import_options)


def _metrics(scoring: Scoring) -> Sequence[str]:
    if scoring.format != BOX_FORMAT:
        return scoring.metrics or (MeanIoU.names if scoring.tracks else ('AP', 'vAP'))
    wrong = [name for name in scoring.metrics if name not in (*Tracking.names, ALL_METRICS)]
    if wrong:
        raise ValueError(f'{", ".join(wrong)} cannot be computed: results of format {BOX_FORMAT} '
                         f'have no masks; ask for {", ".join(Tracking.names)}')
    return Tracking.names if ALL_METRICS in scoring.metrics else scoring.metrics or Tracking.names


def _truth_kinds(scoring: Scoring, annotations: AnnotationFile) -> list[str]:
    held = truth_kinds(annotations)
    missing = [kind for kind in scoring.kinds if kind not in held]
    if missing:
        raise ResultError(f'{annotations.path}: the truth has no {" or ".join(missing)} masks; '
                          f'score what it has with --kind {" ".join(held)}')
    return list(scoring.kinds) or held


def _check_kinds(scoring: Scoring, tracks: Sequence[TrackRecord], kinds: Sequence[str]) -> None:
    # Without a single prediction no kind is lacking: every object is missed.
    missing = [kind for kind in kinds if tracks and kind not in tracks[0].masks]
    if missing:
        held = [kind for kind in MASK_KINDS if kind in tracks[0].masks]
        remedy = f'score what they hold with --kind {" ".join(held)}' if held else (
            'they hold boxes alone')
        raise ResultError(f'{scoring.results[0]}: the predictions have no {" or ".join(missing)} '
                          f'masks; predict them, or {remedy}')


def _submit(scoring: Scoring, tracks: Sequence[TrackRecord], annotations: AnnotationFile,
            folder: str | Path | None) -> list[Path]:
    if scoring.format == BOX_FORMAT:
        raise ResultError(f'{scoring.results[0]}: boxes cannot become a submission of masks; give '
                          'an annotation file with truth')
    kinds = list(scoring.kinds) or [kind for kind in MASK_KINDS
                                    if not tracks or kind in tracks[0].masks]
    _check_kinds(scoring, tracks, kinds)
    results = Path(scoring.results[0])
    folder = results.parent if folder is None else Path(folder)
    paths = [folder / f'{results.stem}.{kind}.zip' for kind in kinds]
    for kind, path in zip(kinds, paths, strict=True):
        export_ytvis(tracks, annotations, path, kind)
        print(f'submission with the {kind} masks: {path}')
    return paths
