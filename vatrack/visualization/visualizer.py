"""Frames of a model's input and output as pictures in TensorBoard and other backends."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmdet.structures import DetDataSample
from mmengine.dist import master_only
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer

from vatrack.evaluation.similarity import video_similarity
from vatrack.files import write_image
from vatrack.registry import VISUALIZERS
from vatrack.structures import MASK_KINDS, bboxes_field, masks_field
from vatrack.structures.rle import RLE, encode

from .contact_sheet import contact_sheet
from .draw import DrawnInstance, DrawStyle, draw_instances
from .overlay import pair_colors
from .style import Color

Masks = dict[str, list[RLE]]


@VISUALIZERS.register_module()
class AmodalVisualizer(Visualizer):
    """mmengine's visualizer, whose data samples are drawn by :func:`draw_instances`.

    Args:
        name: Of the instance, see :class:`mmengine.utils.ManagerMixin`.
        panel_width: Width in pixels of each panel of a picture.
        show: What is drawn, see :class:`DrawStyle`; None takes its default.
        **kwargs: As :class:`mmengine.visualization.Visualizer`: ``vis_backends`` ...
    """

    def __init__(self, name: str = 'visualizer', panel_width: int = 480,
                 show: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.panel_width = panel_width
        self.style = DrawStyle() if show is None else DrawStyle(show)

    @master_only
    def add_datasample(self, name: str, image: np.ndarray, data_sample: DetDataSample | None = None,
                       draw_gt: bool = True, draw_pred: bool = True, show: bool = False,
                       wait_time: float = 0, out_file: str | Path | None = None,
                       pred_score_thr: float = 0.3, step: int = 0) -> None:
        """Draw truth and predictions of a frame side by side, for all backends.

        A prediction has the colour of the true object that it overlaps most.

        Args:
            name: Of the picture; backends may make a file name of it.
            image: (H, W, 3) uint8 RGB.
            data_sample: The frame with ``gt_instances`` and/or
                ``pred_track_instances``, see :mod:`vatrack.structures.fields`;
                their masks are of the size of ``image``.
            draw_gt: Whether truth is drawn, where the sample has it.
            draw_pred: Whether predictions are.
            show: Open a window, instead of handing the picture to the backends.
            wait_time: How long the window stays, in seconds; 0 until it is closed.
            out_file: Write the picture to this file, instead.
            pred_score_thr: Predictions with a lower score are left out.
            step: Position on the time axis of the backends.
        """
        picture = self._picture(image, data_sample or DetDataSample(), draw_gt, draw_pred,
                                pred_score_thr)
        if out_file is not None:
            write_image(out_file, picture)
        if show:
            self.show(picture, win_name=name, wait_time=wait_time)
        if out_file is None and not show:
            self.add_image(name, picture, step)

    def _picture(self, image: np.ndarray, sample: DetDataSample, draw_gt: bool, draw_pred: bool,
                 score_thr: float) -> np.ndarray:
        truth = sample.get('gt_instances') if draw_gt else None
        found = sample.get('pred_track_instances') if draw_pred else None
        if found is not None:
            found = found[found.scores >= score_thr]
        colors = _colors(truth, found)
        layers = {name: self._drawn(instances, colors[name]) for name, instances
                  in (('truth', truth), ('prediction', found)) if instances is not None}
        scale = self.panel_width / image.shape[1]
        panels = {name: draw_instances(image, instances, scale=scale, style=self.style)
                  for name, instances in (layers or {'input': []}).items()}
        title = (f'{sample.video_name}, frame {sample.frame_id}' if 'video_name' in sample
                 else None)
        return contact_sheet(list(panels.values()), len(panels), list(panels), title, margin=12)

    def _drawn(self, instances: InstanceData, colors: dict[int, Color]) -> list[DrawnInstance]:
        classes = (self.dataset_meta or {}).get('classes', ())
        masks = _masks(instances)
        boxes = _boxes(instances, masks)
        scores = instances.scores.tolist() if 'scores' in instances else [None] * len(instances)
        rows = zip(_ids(instances), instances.labels.tolist(), scores, strict=True)
        return [DrawnInstance(
            id_, {kind: of_kind[i] for kind, of_kind in masks.items()},
            classes[label] if label < len(classes) else str(label), score, colors[id_],
            boxes={kind: of_kind[i] for kind, of_kind in boxes.items()} or None)
            for i, (id_, label, score) in enumerate(rows)]


def _ids(instances: InstanceData) -> list[int]:
    return instances.instances_id.tolist()


def _masks(instances: InstanceData) -> Masks:
    """The masks of truth, which are decoded, or of predictions, which are not."""
    if 'masks' in instances:
        return {kind: encode(instances.masks.kind(kind).masks) for kind in instances.masks.kinds}
    return {kind: instances[masks_field(kind)] for kind in MASK_KINDS
            if masks_field(kind) in instances}


def _boxes(instances: InstanceData, masks: Masks) -> dict[str, list[list[float]]]:
    """Boxes by kind; those of the main kind are not named, see ``structures.fields``."""
    if 'bboxes' not in instances:
        return {}
    further = {kind: bboxes_field(kind) for kind in MASK_KINDS if bboxes_field(kind) in instances}
    main = next(kind for kind in MASK_KINDS
                if kind not in further and (kind in masks or not masks or further))
    return {kind: instances[field].tolist() for kind, field in {main: 'bboxes', **further}.items()}


def _colors(truth: InstanceData | None, found: InstanceData | None
            ) -> dict[str, dict[int, Color]]:
    """Colours of the true and the predicted objects of a frame, by layer and id."""
    ids = [[] if each is None else _ids(each) for each in (truth, found)]
    iou = np.zeros((len(ids[1]), len(ids[0])))
    if all(ids):
        masks = _masks(truth), _masks(found)
        shared = [kind for kind in MASK_KINDS if all(kind in each for each in masks)]
        if shared:
            iou = video_similarity([[mask] for mask in masks[1][shared[0]]],
                                   [[mask] for mask in masks[0][shared[0]]], 1).iou
    return dict(zip(('truth', 'prediction'), pair_colors(*ids, iou), strict=True))
