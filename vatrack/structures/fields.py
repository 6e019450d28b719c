"""The data contract: every field that travels between stages, by name.

Shapes use one alphabet: B batch, T frames of a clip, N instances, R regions,
M live tracks, K classes, C channels, E embedding, H and W. Boxes are xyxy in
code and xywh only inside JSON. Pixels are those of the current image.

Two *kinds* of mask and box exist and are always addressed by name:

``visible``  the pixels of an object that no other thing covers.
``amodal``   its full shape, covered parts included (clipped to the frame);
             visible is a subset of amodal.

A key that is absent means *not annotated* or *not predicted*; it never means
an empty mask. An object without a single pixel in a frame has no entry there.

A training *clip* is T frames of one video in time order, as many as its clip
sampler gives; a frame may stand in it more than once, where the video is
short. Every frame is a key frame, in which all is learned, or a reference
frame, which only association looks at: ``key_frames_inds`` and
``ref_frames_inds`` of the ``TrackDataSample`` say which. What the objects of a
clip are over time is put together by :class:`.clips.ClipTruth`.

``gt_instances`` (one per frame, training)

============== ================== ==========================================
bboxes         (N, 4) float32     boxes of the main kind: first of ``box_kinds``
visible_bboxes (N, 4) float32     (or ``amodal_bboxes``) boxes of a further kind
                                  of ``box_kinds``; usually absent
labels         (N,) int64         0-based, contiguous
instances_id   (N,) int64         unique in a video; 0 is a valid id
masks          MasksByKind        (N, H, W) per kind the config asks for; absent
                                  on reference frames unless asked for.
                                  PackedMasks with ``PackClip(bits=True)``
============== ================== ==========================================

An object that has no visible pixel in a frame is no training object there,
unless the dataset keeps it (``keep_hidden``): then it has an entry, with an
empty visible mask, from the first frame of the clip on in which it is visible.

``pred_track_instances`` (one per frame, testing; original resolution)

============== ================== ==========================================
bboxes         (N, 4) float32     boxes of the main kind
visible_bboxes (N, 4) float32     (or ``amodal_bboxes``) present only when the
                                  model predicts a further box kind
scores         (N,) float32       in [0, 1]
labels         (N,) int64         0-based
instances_id   (N,) int64         track id; unique within the frame and the
                                  video; 0 is a valid id
visible_masks  list of N RLE      present for every kind the model predicts
amodal_masks   list of N RLE
============== ================== ==========================================

``pred_tracks`` (one per video, testing; only of models that know more at its end)

============== ================== ==========================================
instances_id   (M,) int64         identities of ``pred_track_instances``; one may
                                  stand in several rows, under several classes
labels         (M,) int64         class of the whole track
scores         (M,) float32       score of the whole track
============== ================== ==========================================

It comes with the clip that ends the video. Tracks that it leaves out are
dropped; without it the score of a track is the mean of its frames, and its
class the commonest.

The main kind of box is what RPN, box head and association work with. A
training object has a valid box of every kind in ``box_kinds``.

Metainfo of a frame: ``video_id``, ``video_name``, ``img_id``, ``frame_id``
(0-based position in time), ``video_length`` (frames), ``img_path``,
``ori_shape`` (H, W), ``img_shape`` (H, W), ``scale_factor`` (w, h).

Network input is (B, T, 3, H, W): uint8 BGR, as loaded, until the data
preprocessor normalises and pads it. T is 2 in training with one reference
frame, any number in other clips, and 1 in testing.

An *RLE* is a COCO compressed run-length mask ``{'size': [H, W], 'counts':
str}`` at original resolution. ``occlusion`` is 1 - area(visible) /
area(amodal), in [0, 1].
"""
from __future__ import annotations

from typing import Literal

MaskKind = Literal['visible', 'amodal']

#: (x1, y1, x2, y2) in pixels.
Box = tuple[float, float, float, float]

#: All mask kinds, in the order in which tables and files list them.
MASK_KINDS: tuple[MaskKind, ...] = ('amodal', 'visible')


def masks_field(kind: str) -> str:
    """Name of the field that holds masks of ``kind``: ``'amodal_masks'``."""
    if kind not in MASK_KINDS:
        raise ValueError(f'mask kind must be one of {MASK_KINDS}, got {kind!r}')
    return f'{kind}_masks'


def bboxes_field(kind: str) -> str:
    """Name of the field that holds boxes of a further ``kind``: ``'visible_bboxes'``."""
    if kind not in MASK_KINDS:
        raise ValueError(f'box kind must be one of {MASK_KINDS}, got {kind!r}')
    return f'{kind}_bboxes'
