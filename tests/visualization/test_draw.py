from __future__ import annotations

import cv2
import numpy as np
import pytest

from vatrack.structures import rle
from vatrack.visualization import SHOWN, DrawnInstance, DrawStyle, draw_instances, track_color

H, W = 120, 160
NO_LABELS = frozenset({'visible', 'amodal', 'occluded'})
PLAIN = DrawStyle({'visible', 'amodal'}, line_width=2)
COLOR = (255, 40, 0)


def box_mask(x0: int, y0: int, x1: int, y1: int, shape: tuple[int, int] = (H, W)) -> rle.RLE:
    mask = np.zeros((1, *shape), np.uint8)
    mask[0, y0:y1, x0:x1] = 1
    return rle.encode(mask)[0]


def frame(value: int = 100) -> np.ndarray:
    return np.full((H, W, 3), value, np.uint8)


def occluded() -> dict[str, rle.RLE]:
    """A box from x = 30 to 110 whose right half is hidden."""
    return {'amodal': box_mask(30, 40, 110, 90), 'visible': box_mask(30, 40, 70, 90)}


def changed(image: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    return (image != drawn).any(axis=2)


def test_input_is_not_modified_and_pixels_far_away_are_kept():
    image = frame()
    drawn = draw_instances(image, [DrawnInstance(1, occluded())], style=PLAIN)
    assert (image == 100).all()
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    outside = np.ones((H, W), bool)
    outside[36:94, 26:114] = False
    assert changed(image, drawn).any()
    assert not changed(image, drawn)[outside].any()


def test_only_the_visible_part_is_filled():
    drawn = draw_instances(frame(), [DrawnInstance(1, occluded(), color=COLOR)], style=PLAIN)
    expected = np.rint(100 + 0.45 * (np.array(COLOR) - 100))
    assert (drawn[46:84, 36:68] == expected).all()
    assert (drawn[46:84, 72:104] == 100).all()


def test_the_amodal_mask_may_be_filled_instead():
    masks = {'amodal': occluded()['amodal']}
    style = DrawStyle({'amodal'}, filled_kind='amodal', line_width=2)
    drawn = draw_instances(frame(), [DrawnInstance(1, masks, color=COLOR)], style=style)
    assert (drawn[46:84, 36:104] == np.rint(100 + 0.45 * (np.array(COLOR) - 100))).all()
    empty = draw_instances(frame(), [DrawnInstance(1, masks, color=COLOR)],
                           style=DrawStyle({'amodal'}, line_width=2))
    assert (empty[46:84, 36:104] == 100).all()


def test_outline_is_solid_where_visible_and_dashed_where_hidden():
    drawn = draw_instances(frame(), [DrawnInstance(1, occluded(), color=COLOR)], style=PLAIN)
    on_line = np.abs(drawn.astype(int) - COLOR).max(axis=2) < 60
    left, top_visible = on_line[44:86, 28:33].any(axis=1), on_line[38:43, 34:66].any(axis=0)
    assert left.all()
    assert top_visible.all()
    right, top_hidden = on_line[44:86, 107:112].any(axis=1), on_line[38:43, 76:106].any(axis=0)
    for hidden in (right, top_hidden):
        assert 0.3 < hidden.mean() < 0.9


def test_hidden_side_is_found_wherever_the_visible_mask_lies():
    # Predicted masks need not be nested: the visible one also leaves the amodal one here.
    parts = rle.decode([box_mask(0, 30, 10, 100), box_mask(70, 30, 130, 100)], (H, W))
    masks = {'amodal': box_mask(30, 40, 110, 90), 'visible': rle.encode(parts.max(0)[None])[0]}
    drawn = draw_instances(frame(), [DrawnInstance(1, masks, color=COLOR)], style=PLAIN)
    on_line = np.abs(drawn.astype(int) - COLOR).max(axis=2) < 60
    assert on_line[44:86, 107:112].any(axis=1).all()
    assert 0.3 < on_line[44:86, 28:33].any(axis=1).mean() < 0.9
    assert (drawn[32:36, 80:125] != 100).all()


def test_outline_has_a_dark_halo():
    drawn = draw_instances(frame(200), [DrawnInstance(1, occluded(), color=COLOR)], style=PLAIN)
    assert drawn[50:80, 24:30].max(axis=2).min() < 150
    assert changed(frame(200), drawn)[50:80, :27].sum() == 0


def test_holes_are_outlined():
    ring = np.zeros((1, H, W), np.uint8)
    ring[0, 20:100, 20:120] = 1
    ring[0, 45:75, 50:90] = 0
    drawn = draw_instances(frame(), [DrawnInstance(1, {'amodal': rle.encode(ring)[0]})],
                           style=PLAIN)
    assert changed(frame(), drawn)[60, 45:55].any()
    assert not changed(frame(), drawn)[50:70, 56:84].any()


@pytest.mark.parametrize('masks, filled, outlined', [
    ({}, False, False),
    ({'visible': box_mask(0, 0, 0, 0)}, False, False),
    ({'amodal': box_mask(0, 0, 0, 0), 'visible': box_mask(0, 0, 0, 0)}, False, False),
    ({'visible': box_mask(30, 40, 110, 90)}, True, True),
    ({'amodal': box_mask(30, 40, 110, 90)}, False, True),
    ({'amodal': box_mask(30, 40, 110, 90), 'visible': box_mask(0, 0, 0, 0)}, False, True),
])
def test_absent_and_empty_kinds(masks, filled, outlined):
    drawn = draw_instances(frame(), [DrawnInstance(0, masks, 'cat', 0.5)], style=PLAIN)
    assert changed(frame(), drawn)[60:70, 60:80].all() == filled
    assert changed(frame(), drawn)[36:44, 30:110].any() == outlined


def test_no_instances_give_a_copy():
    image = frame()
    drawn = draw_instances(image, [])
    assert (drawn == image).all()
    assert drawn is not image
    assert not np.shares_memory(drawn, image)


def test_an_amodal_mask_alone_is_solid_and_a_hidden_one_is_dashed():
    lines = []
    for masks in ({'amodal': box_mask(30, 40, 110, 90)},
                  {'amodal': box_mask(30, 40, 110, 90), 'visible': box_mask(0, 0, 0, 0)}):
        drawn = draw_instances(frame(), [DrawnInstance(1, masks, color=COLOR)], style=PLAIN)
        lines.append((np.abs(drawn.astype(int) - COLOR).max(axis=2) < 60)[38:43, 34:106])
    assert lines[0].any(axis=0).all()
    assert 0.3 < lines[1].any(axis=0).mean() < 0.9


@pytest.mark.parametrize('scale', [0.5, 1.0, 2.5, 4.0])
def test_scale_resizes_first_and_keeps_the_geometry(scale):
    drawn = draw_instances(frame(), [DrawnInstance(1, occluded(), color=COLOR)], scale=scale,
                           style=PLAIN)
    assert drawn.shape == (round(H * scale), round(W * scale), 3)
    fill = np.rint(100 + 0.45 * (np.array(COLOR) - 100))
    rows, columns = np.nonzero((drawn == fill).all(axis=2))
    assert (rows.mean() + 0.5) / scale == pytest.approx(65, abs=1)
    assert (columns.max() + 1) / scale == pytest.approx(70, abs=1)
    untouched = drawn[round(50 * scale):round(80 * scale), round(75 * scale):round(100 * scale)]
    assert (untouched == 100).all()


def test_id_picks_the_color_and_color_overrides_it():
    masks = {'visible': box_mask(30, 40, 110, 90)}
    style = DrawStyle(fill_opacity=1, show=NO_LABELS)
    for instance, color in ((DrawnInstance(0, masks), track_color(0)),
                            (DrawnInstance(0, masks, color=COLOR), COLOR)):
        assert tuple(draw_instances(frame(), [instance], style=style)[65, 70]) == color


@pytest.mark.parametrize('box', [(0, 0, 12, 9), (W - 12, 0, W, 9), (0, H - 9, 12, H),
                                 (W - 12, H - 9, W, H), (0, 0, W, H)])
def test_labels_stay_inside_the_frame(box):
    instance = DrawnInstance(3, {'amodal': box_mask(*box)}, 'cat', 0.87, COLOR)
    drawn = draw_instances(frame(), [instance])
    bare = draw_instances(frame(), [instance], style=DrawStyle(NO_LABELS))
    rows, columns = np.nonzero(changed(bare, drawn))
    assert np.ptp(rows) >= 9
    assert np.ptp(columns) >= 50


def label_area(instances: list[DrawnInstance], show: set[str], shape=(H, W)) -> int:
    """Pixels that the labels of ``show`` cover."""
    image = np.full((*shape, 3), 100, np.uint8)
    bare = draw_instances(image, instances, style=DrawStyle({'amodal'}))
    drawn = draw_instances(image, instances, style=DrawStyle({'amodal', *show}))
    return int(changed(bare, drawn).sum())


def test_labels_of_objects_at_one_place_do_not_overlap():
    masks = {'amodal': box_mask(60, 60, 100, 90)}
    one, three = (label_area([DrawnInstance(1, masks, color=COLOR)] * count, {'ids'})
                  for count in (1, 3))
    assert three > 2.5 * one


def test_caption_has_what_is_shown():
    instance = DrawnInstance(0, {}, 'person', 0.5)
    assert instance.caption() == '0 person 0.50'
    assert instance.caption({'scores', 'ids', 'amodal'}) == '0 0.50'
    assert instance.caption({'amodal'}) == ''
    assert DrawnInstance(12, {}).caption() == '12'


def test_long_and_accented_labels_take_at_most_half_of_the_width():
    instance = DrawnInstance(1, {'amodal': box_mask(60, 40, 100, 90)}, 'é' * 80)
    bare = draw_instances(frame(), [instance], style=DrawStyle(NO_LABELS))
    _, columns = np.nonzero(changed(bare, draw_instances(frame(), [instance])))
    assert 0.4 * W < np.ptp(columns) <= 0.5 * W


def test_labels_never_cover_much_of_a_small_frame():
    shape = (200, 320)
    crowd = [DrawnInstance(k, {'amodal': box_mask(x, y, x + 20, y + 20, shape)}, 'jellyfish', 0.5)
             for k, (x, y) in enumerate((x, y) for x in range(10, 300, 30)
                                        for y in range(20, 180, 40))]
    for count, shown in ((2, {'ids', 'classes', 'scores'}), (5, {'ids', 'classes'}), (12, {'ids'})):
        group = crowd[::4][:count]
        assert (label_area(group, {'ids', 'classes', 'scores'}, shape)
                == label_area(group, shown, shape) > 0)
    assert 0.03 < label_area(crowd, {'ids', 'classes', 'scores'}, shape) / np.prod(shape) < 0.1


@pytest.mark.parametrize('image', [np.zeros((H, W), np.uint8), np.zeros((H, W, 4), np.uint8),
                                   np.zeros((H, W, 3), np.float32)])
def test_wrong_images_are_refused(image):
    with pytest.raises(ValueError, match='uint8 RGB'):
        draw_instances(image, [])


def test_a_mask_of_another_size_is_refused():
    masks = {'visible': box_mask(0, 0, 5, 5, (60, 80))}
    with pytest.raises(ValueError, match=r'track 7: its visible mask is .*\(60, 80\)'):
        draw_instances(frame(), [DrawnInstance(7, masks)])


def test_the_real_shape_is_followed_on_small_frames():
    mask = np.zeros((40, 64), np.uint8)
    cv2.circle(mask, (30, 20), 12, 1, -1)
    instance = DrawnInstance(1, {'visible': rle.encode(mask[None])[0]}, color=COLOR)
    style = DrawStyle(NO_LABELS, fill_opacity=1, line_width=1)
    drawn = draw_instances(np.zeros((40, 64, 3), np.uint8), [instance], scale=6, style=style)
    area = (drawn[..., 0] > 60).sum() / 36
    assert area == pytest.approx(mask.sum(), rel=0.08)


def test_an_instance_that_is_not_filled_keeps_its_dashes():
    filled, outlined = (
        draw_instances(frame(), [DrawnInstance(1, occluded(), color=COLOR, filled=filled)],
                       style=PLAIN) for filled in (True, False))
    assert (outlined[46:84, 36:104] == 100).all()
    assert (outlined[36:44, 74:106] == filled[36:44, 74:106]).all()


def test_the_occluded_part_is_hatched_diagonally():
    drawn = draw_instances(frame(), [DrawnInstance(1, occluded(), color=COLOR)],
                           style=DrawStyle({'occluded'}, line_width=2))
    assert not changed(frame(), drawn)[:, :70].any()
    lines = changed(frame(), drawn)[41:89, 71:109]
    assert 0.2 < lines.mean() < 0.8
    assert (lines[1:, :-1] == lines[:-1, 1:]).all()
    assert not (lines[:, 1:] == lines[:, :-1]).all()


def test_hatches_of_two_tracks_do_not_cover_each_other():
    green = (0, 255, 60)
    first, second = (DrawnInstance(k, occluded(), color=color)
                     for k, color in ((1, COLOR), (2, green)))
    drawn = draw_instances(frame(), [first, second], style=DrawStyle({'occluded'}, line_width=2))
    for color in (COLOR, green):
        assert (np.abs(drawn.astype(int) - color).max(axis=2) < 60)[40:90, 70:110].mean() > 0.05


def test_hatches_are_not_painted_over_by_what_hides_the_object():
    hidden, front = (DrawnInstance(1, occluded(), color=COLOR),
                     DrawnInstance(2, {'visible': box_mask(70, 30, 150, 100)}, color=(0, 0, 255)))
    drawn = draw_instances(frame(), [hidden, front],
                           style=DrawStyle({'visible', 'occluded'}, line_width=2))
    assert (np.abs(drawn.astype(int) - COLOR).max(axis=2) < 60)[44:86, 74:106].mean() > 0.05


def test_hatch_lines_grow_with_the_frame():
    counts = []
    for scale in (1, 5, 20):
        drawn = draw_instances(frame(), [DrawnInstance(1, occluded(), color=COLOR)], scale=scale,
                               style=DrawStyle({'occluded'}))
        row = np.abs(drawn[65 * scale].astype(int) - COLOR).max(axis=1) < 90
        counts.append(int(np.diff(row.astype(int)).clip(0).sum()))
    assert counts[0] >= 4
    assert counts[1] == pytest.approx(counts[2], abs=2)


def test_what_two_predicted_masks_differ_by_at_the_border_is_not_hatched():
    masks = {'amodal': box_mask(30, 40, 110, 90), 'visible': box_mask(31, 41, 109, 89)}
    drawn = draw_instances(frame(), [DrawnInstance(1, masks)], style=DrawStyle({'occluded'}))
    assert not changed(frame(), drawn).any()


REGIONS = {
    'visible': (slice(40, 90), slice(30, 70)), 'occluded': (slice(40, 90), slice(70, 110)),
    'amodal': (slice(36, 94), slice(26, 114)), 'boxes': (slice(36, 94), slice(26, 114)),
    **dict.fromkeys(('ids', 'classes', 'scores'), (slice(20, 42), slice(0, W)))}


@pytest.mark.parametrize('item', SHOWN)
def test_every_item_is_drawn_by_itself(item):
    instance = DrawnInstance(5, occluded(), 'turtle', 0.75)
    alone = draw_instances(frame(), [instance], style=DrawStyle({item}))
    everything = draw_instances(frame(), [instance], style=DrawStyle(SHOWN))
    others = draw_instances(frame(), [instance], style=DrawStyle(set(SHOWN) - {item}))
    for before, after in ((frame(), alone), (others, everything)):
        difference = changed(before, after)
        assert difference.any()
        difference[REGIONS[item]] = False
        assert not difference.any()


def test_nothing_is_shown():
    instance = DrawnInstance(5, occluded(), 'turtle', 0.75)
    assert (draw_instances(frame(), [instance], style=DrawStyle(())) == 100).all()


@pytest.mark.parametrize('show', [{'masks'}, 'ids', {'ids', 'amodal_masks'}])
def test_unknown_items_are_refused(show):
    with pytest.raises(ValueError, match='visible, amodal, occluded, boxes, ids'):
        DrawStyle(show)


def test_boxes_alone_are_drawn_with_a_label():
    instance = DrawnInstance(1, {}, 'cat', color=COLOR, boxes={'amodal': (30, 40, 110, 90)})
    drawn = draw_instances(frame(), [instance], style=DrawStyle(SHOWN, line_width=2))
    border = np.abs(drawn.astype(int) - COLOR).max(axis=2) < 60
    assert border[40, 30:110].all() and border[89, 30:110].all()
    assert border[40:90, 30].all() and border[40:90, 109].all()
    assert not changed(frame(), drawn)[44:86, 34:106].any()
    assert changed(frame(), drawn)[27:36, 60:80].all()


def test_boxes_are_scaled_and_cut_at_the_frame():
    box = DrawnInstance(1, {}, color=COLOR, boxes={'visible': (-50.5, 30.2, 80, 500)})
    drawn = draw_instances(frame(), [box], scale=2, style=DrawStyle({'boxes'}, line_width=2))
    rows, columns = np.nonzero(np.abs(drawn.astype(int) - COLOR).max(axis=2) < 60)
    assert (rows.min(), columns.max()) == (60, 159)
    far = DrawnInstance(1, {}, boxes={'visible': (-50, -50, -20, -30)})
    assert (draw_instances(frame(), [far], style=DrawStyle({'boxes'})) == 100).all()


def test_the_visible_box_is_dashed_beside_an_amodal_one():
    def right_side(boxes: dict | None) -> np.ndarray:
        drawn = draw_instances(frame(), [DrawnInstance(1, occluded(), color=COLOR, boxes=boxes)],
                               style=DrawStyle({'boxes'}, line_width=2))
        return (np.abs(drawn.astype(int) - COLOR).max(axis=2) < 60)[42:88, 69]

    assert 0.3 < right_side(None).mean() < 0.8
    assert right_side({'visible': (30, 40, 70, 90)}).all()


def test_masks_move_with_the_window_they_are_cut_to():
    """The visible mask may leave the amodal one on every side."""
    masks = {'amodal': box_mask(60, 50, 80, 60), 'visible': box_mask(0, 0, W, H)}
    drawn = draw_instances(frame(), [DrawnInstance(1, masks)], style=DrawStyle({'occluded'}))
    assert (drawn == 100).all()
    masks = {'amodal': box_mask(0, 0, W, H), 'visible': box_mask(60, 50, 80, 60)}
    drawn = draw_instances(frame(), [DrawnInstance(1, masks)], style=DrawStyle({'occluded'}))
    assert not changed(frame(), drawn)[50:60, 60:80].any()
    assert changed(frame(), drawn)[:50].any() and changed(frame(), drawn)[60:].any()


@pytest.mark.parametrize('scale', [0.1, 0.25, 1, 3, 8])
@pytest.mark.parametrize('size', [(1, 1), (2, 1), (3, 3), (1, 40)])
def test_tiny_objects(scale, size):
    masks = {'amodal': box_mask(71, 53, 71 + size[0], 53 + size[1])}
    instance = DrawnInstance(1, masks | {'visible': box_mask(0, 0, 0, 0)}, 'cat')
    drawn = draw_instances(frame(), [instance], scale=scale)
    outline = draw_instances(frame(), [instance], scale=scale, style=DrawStyle({'amodal'}))
    assert drawn.shape == outline.shape
    if scale >= 1:
        assert (outline != 100).any()
