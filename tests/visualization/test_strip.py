from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_overlay import FRAMES, H, W, dataset, square, track

from vatrack.structures import AnnotationFile, TrackRecord, rle
from vatrack.visualization import DrawnInstance, DrawStyle, draw_instances, track_color
from vatrack.visualization.print_figure import print_settings
from vatrack.visualization.strip import Strip, build_strip, choose_frames, find_video
from vatrack.visualization.strip_figure import StripLayout, draw_strip


def strip(annotations: AnnotationFile, results: dict[str, list[TrackRecord]],
          positions: tuple[int, ...] = (0, 2), **options) -> Strip:
    return build_strip(annotations, annotations.videos[0], Path(annotations.path).parent, results,
                       positions, **options)


def colors(strip: Strip) -> dict[str, list[dict[int, tuple]]]:
    """Colours by row, frame and id."""
    return {label: [{each.track_id: each.rgb for each in drawn} for drawn in row]
            for label, row in strip.rows.items()}


def single(track_id: int, x: int, y: int, frame: int) -> TrackRecord:
    """A track of one frame, as an image-based model makes them."""
    masks = {'amodal': [square(x + frame, y)], 'visible': [square(x + frame, y, 12)]}
    return TrackRecord(1, track_id, 3, .9, [frame], masks)


def test_an_identity_has_one_colour_in_all_rows_and_frames(tmp_path):
    results = {'tracks': [track(5, 33, 17), track(6, 3, 4)], 'one': [track(1, 4, 4)]}
    found = colors(strip(dataset(tmp_path), results, with_truth=True))
    seven, nine = track_color(0), track_color(1)
    assert list(found) == ['truth', 'tracks', 'one']
    assert found['truth'] == [{7: seven, 9: nine}] * 2
    assert found['tracks'] == [{5: nine, 6: seven}] * 2
    assert found['one'] == [{1: seven}] * 2


def test_an_identity_that_changes_changes_its_colour(tmp_path):
    halves = [TrackRecord(1, k + 1, 3, .9, frames, {'amodal': [square(4 + t, 4) for t in frames]})
              for k, frames in enumerate([[0, 1], [2]])]
    images = [single(11, 4, 4, 0), single(12, 4, 4, 2), single(13, 34, 18, 2)]
    found = colors(strip(dataset(tmp_path), {'halves': halves, 'images': images}))
    assert found['halves'] == [{1: track_color(0)}, {2: track_color(2)}]
    # One to one: of two frames of an object one has its colour. No two rows share other colours.
    shown = [color for frame in found['images'] for color in frame.values()]
    assert track_color(0) in shown and track_color(1) in shown and len(set(shown)) == 3
    assert track_color(2) not in shown


def test_without_truth_the_first_row_has_the_say(tmp_path):
    annotations = dataset(tmp_path, truth=False)
    results = {'a': [track(3, 34, 18), track(4, 4, 4)], 'b': [track(1, 5, 4), track(2, 40, 0)]}
    found = colors(strip(annotations, results))
    assert found == {'a': [{3: track_color(0), 4: track_color(1)}] * 2,
                     'b': [{1: track_color(1), 2: track_color(2)}] * 2}


def test_colours_are_those_of_what_is_shown(tmp_path):
    annotations = dataset(tmp_path)
    for frame in annotations.videos[0].frames[1:]:
        del frame.instances[0]
    result = {'a': [track(1, 34, 18)]}
    assert colors(strip(annotations, result, (1,))) == {'a': [{1: track_color(0)}]}
    assert colors(strip(annotations, result, (0,), with_truth=True))['a'] == [{1: track_color(1)}]


def test_a_kind_alone(tmp_path):
    annotations = dataset(tmp_path)
    hidden = track(1, 4, 4)
    hidden.masks['visible'][0] = None
    found = strip(annotations, {'a': [hidden]}, kind='visible', with_truth=True, with_input=True)
    assert list(found.rows) == ['input', 'truth', 'a']
    assert [[set(each.masks) for each in drawn] for drawn in found.rows['a']] == [[], [{'visible'}]]
    assert [len(drawn) for drawn in found.rows['truth']] == [2, 2]
    assert found.rows['input'] == [[], []]


@pytest.mark.parametrize(('results', 'options', 'message'), [
    ({}, {}, 'needs a row'),
    ({'truth': [track(1, 4, 4)]}, {}, "cannot be called 'truth'"),
    ({'a': [TrackRecord(1, 1, 3, .9, [0], {'amodal': [square(4, 4)]})]}, {'kind': 'visible'},
     'a: its tracks have no masks of kind visible; they have amodal ones'),
    ({'a': [TrackRecord(1, 1, 3, .9, [0], {}, bboxes=[[0, 0, 1, 1]])]}, {}, 'boxes alone'),
])
def test_rows_that_cannot_be_drawn_are_refused(tmp_path, results, options, message):
    with pytest.raises(ValueError, match=message):
        strip(dataset(tmp_path), results, **options)


def test_truth_that_is_not_there_cannot_be_drawn(tmp_path):
    with pytest.raises(ValueError, match='video city/v 1 has no true masks to draw of kind amodal'):
        strip(dataset(tmp_path, truth=False), {}, with_truth=True, kind='amodal')


def test_videos_are_found_by_name(tmp_path):
    annotations = dataset(tmp_path)
    assert find_video(annotations, 'city/v 2').id == 2
    with pytest.raises(ValueError, match="no video named 'city/v3'; similar are city/v 2, city/v"):
        find_video(annotations, 'city/v3')
    with pytest.raises(ValueError, match="no video named 'x'; it has city/v 1, city/v 2"):
        find_video(annotations, 'x')
    with pytest.raises(ValueError, match='has 2 videos, name one of city/v 1, city/v 2'):
        find_video(annotations, None)
    del annotations.videos[1]
    assert find_video(annotations, None).id == 1


def test_frames_are_chosen_by_id_or_evenly(tmp_path):
    video = dataset(tmp_path).videos[0]
    for frame in video.frames:
        frame.frame_id += 10
    assert choose_frames(video, [12, 10], 4) == [2, 0]
    assert choose_frames(video, None, 2) == [0, 2]
    assert choose_frames(video, None, 8) == [0, 1, 2]
    assert choose_frames(video, None, 1) == [0]
    with pytest.raises(ValueError, match='has no frame 2, 13; it has 3, from 10 to 12'):
        choose_frames(video, [2, 11, 13], 4)
    with pytest.raises(ValueError, match='at least one'):
        choose_frames(video, None, 0)


def cells(figure) -> list[np.ndarray]:
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes]


def test_frames_of_the_file_are_the_drawings_pixel_by_pixel(tmp_path):
    annotations = dataset(tmp_path)
    with print_settings():
        figure = draw_strip(strip(annotations, {'a': [track(1, 4, 4)]}, with_input=True),
                            StripLayout(2, dpi=150))
        figure.draw_without_rendering()
        figure.canvas.draw()
    assert abs(figure.get_figwidth() - 2) < .03
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    height, width, _ = pixels.shape
    for ax, cell in zip(figure.axes, cells(figure), strict=True):
        box = ax.get_position()
        x, y = round(box.x0 * width), round((1 - box.y1) * height)
        assert (pixels[y:y + cell.shape[0], x:x + cell.shape[1]] == cell).all()
    assert {text.get_text() for text in figure.texts} == {'frame 0', 'frame 2', 'input', 'a'}


def test_a_crop_is_drawn_as_if_it_were_the_frame(tmp_path):
    annotations = dataset(tmp_path)
    made = strip(annotations, {'a': [track(1, 4, 4)]}, (0,), kind='amodal')
    with print_settings():
        figure = draw_strip(made, StripLayout(2, dpi=150, crop=(10, 5, 40, 25)))
    cell, = cells(figure)
    mask = rle.decode([square(4, 4)], (H, W))[:, 5:25, 10:40]
    expected = draw_instances(
        np.full((20, 30, 3), 90, np.uint8),
        [DrawnInstance(1, {'amodal': rle.encode(mask)[0]}, color=track_color(0))],
        scale=cell.shape[1] / 30,
        style=DrawStyle({'visible', 'amodal', 'occluded'}, filled_kind='amodal', line_width=1))
    assert (cell == expected).all()


@pytest.mark.parametrize(('layout', 'message'), [
    (StripLayout(crop=(10, 5, W + 1, 25)), 'is not inside of video city/v 1, which is 64x40'),
    (StripLayout(crop=(10, 5, 10, 25)), 'is not inside'),
    (StripLayout(.3), 'too small to be seen')])
def test_layouts_without_room_are_refused(tmp_path, layout, message):
    with pytest.raises(ValueError, match=message), print_settings():
        draw_strip(strip(dataset(tmp_path), {'a': []}), layout)


def test_a_height_makes_frames_smaller_and_long_labels_fit(tmp_path):
    label = 'a very long name of a system-that-was-trained'
    made = strip(dataset(tmp_path), {label: [], 'b': []}, tuple(range(FRAMES)))
    with print_settings():
        figure = draw_strip(made, StripLayout(6, 1))
        assert figure.get_figheight() <= 1 and figure.get_figwidth() < 6
        texts = {text.get_text().replace('\n', ' '): text.get_window_extent()
                 for text in figure.texts}
        for ax, name in zip(figure.axes[::2], (label, 'b'), strict=False):
            assert texts[name].height <= ax.get_window_extent().height
            assert texts[name].x0 >= 0 and texts[name].x1 <= ax.get_window_extent().x0
