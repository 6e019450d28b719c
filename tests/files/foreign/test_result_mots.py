from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_results import LENGTHS, SIZES, annotations, random_tracks

from vatrack.files import ResultError
from vatrack.files.foreign.mots import (
    export_mots_png,
    export_mots_txt,
    import_mots_png,
    import_mots_txt,
)
from vatrack.structures import TrackRecord, rle

FORMATS = {'txt': (export_mots_txt, import_mots_txt), 'png': (export_mots_png, import_mots_png)}


def seen(tracks, kind):
    """What MOTS keeps: video, class, frames and masks, in the order of its numbers."""
    kept = []
    for track in sorted(tracks, key=lambda t: (t.video_id, t.category_id, t.track_id)):
        pairs = [(frame, mask) for frame, mask in zip(track.frames, track.masks[kind], strict=True)
                 if mask is not None]
        kept.append((track.video_id, track.category_id, pairs))
    return kept


@pytest.mark.parametrize('kind', ['amodal', 'visible'])
@pytest.mark.parametrize('first_frame', [0, 1])
@pytest.mark.parametrize('suffix', ['', '.zip'])
@pytest.mark.parametrize('name', FORMATS)
def test_round_trip(tmp_path, name, kind, first_frame, suffix):
    export, read = FORMATS[name]
    notes, path = [], tmp_path / f'masks{suffix}'
    export(random_tracks(0, apart=True), annotations(), path, kind, first_frame, notes.append)
    assert notes == []
    tracks = read({kind: path}, annotations(), notes.append, first_frame)
    assert seen(tracks, kind) == seen(random_tracks(0, apart=True), kind)
    assert [track.track_id for track in tracks] == list(range(1, len(tracks) + 1))
    assert {track.score for track in tracks} == {1.}
    assert 'no scores' in notes[0] and 'numbered over all videos' in notes[1]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('name', FORMATS)
def test_both_kinds_are_joined(tmp_path, name):
    export, read = FORMATS[name]
    made = random_tracks(1, apart=True, classes=False)
    for kind in ('amodal', 'visible'):
        export(made, annotations(), tmp_path / kind, kind)
    tracks = read({kind: tmp_path / kind for kind in ('amodal', 'visible')}, annotations())
    assert list(tracks[0].masks) == ['amodal', 'visible']
    for kind in ('amodal', 'visible'):
        assert seen(tracks, kind) == seen(made, kind)


def test_txt_lines(tmp_path):
    mask = rle.encode(np.pad(np.ones((1, 4, 3), bool), ((0, 0), (2, 6), (5, 9))))[0]
    tracks = [TrackRecord(7, 4, 12, .5, [0, 5], {'visible': [mask, None]}),
              TrackRecord(7, 9, 12, .5, [3], {'visible': [mask]}),
              TrackRecord(7, 6, 12, .5, [3], {'visible': [None]})]
    export_mots_txt(tracks, annotations(), tmp_path / 'm', first_frame=1)
    assert (tmp_path / 'm' / 'city-v-7.txt').read_text().splitlines() == [
        f'1 12001 12 12 17 {mask["counts"]}', f'4 12002 12 12 17 {mask["counts"]}']


def test_png_files(tmp_path):
    mask = np.zeros((1, *SIZES[2]), bool)
    mask[0, 3:5, 2] = True
    export_mots_png([TrackRecord(2, 4, 3, .5, [1], {'visible': rle.encode(mask)})], annotations(),
                    tmp_path / 'm')
    for video_id, length in LENGTHS.items():
        names = sorted(path.name for path in (tmp_path / 'm' / f'city-v-{video_id}').iterdir())
        assert names == [f'{t:06d}.png' for t in range(length)]
    image = cv2.imread(str(tmp_path / 'm/city-v-2/000001.png'), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, 3001 * mask[0])


@pytest.mark.parametrize('name', FORMATS)
def test_pixels_of_two_visible_masks_go_to_the_higher_score(tmp_path, name):
    export, read = FORMATS[name]
    whole = np.ones((1, *SIZES[2]), bool)
    part = whole.copy()
    part[:, :, 4:] = False
    tracks = [TrackRecord(2, 1, 1, .9, [0, 1], {'visible': rle.encode(whole) * 2}, [.4, .9]),
              TrackRecord(2, 2, 3, .5, [0, 1], {'visible': rle.encode(part) * 2})]
    notes = []
    export(tracks, annotations(), tmp_path / 'm', 'visible', note=notes.append)
    assert notes == ['2 masks lost pixels to another track that has a higher score there: MOTS '
                     'masks must not overlap']
    first, second = read({'visible': tmp_path / 'm'}, annotations())
    assert first.masks['visible'] == rle.encode(np.concatenate([whole & ~part, whole]))
    assert (second.frames, second.masks['visible']) == ([0], rle.encode(part))
    tracks = [TrackRecord(2, 1, 1, .9, [1], {'amodal': rle.encode(whole)}),
              TrackRecord(2, 2, 3, .5, [1], {'amodal': rle.encode(part)})]
    with pytest.raises(ResultError, match=r'video 2 \(city/v 2\), frame 1: amodal masks overlap, '
                                          'which MOTS does not allow; export the visible'):
        export(tracks, annotations(), tmp_path / 'n', 'amodal')
    assert not (tmp_path / 'n').exists()


def many(count, category=1):
    dot = np.zeros((1, *SIZES[2]), bool)
    dot[0, 0, 0] = True
    mask, = rle.encode(dot)
    return [TrackRecord(2, n + 1, category, .5, [0], {'visible': [mask]}) for n in range(count)]


def test_at_most_999_tracks_of_a_class(tmp_path):
    export_mots_txt(many(999), annotations(), tmp_path / 'm', note=lambda _: None)
    with pytest.raises(ResultError, match=r'video 2 .* more than 999 tracks of category 1'):
        export_mots_txt(many(1000), annotations(), tmp_path / 'n', note=lambda _: None)


def test_classes_beyond_16_bits(tmp_path):
    large = annotations({65: 'a'})
    export_mots_txt(many(600, 65)[:1], large, tmp_path / 'txt')
    export_mots_png(many(1, 65), large, tmp_path / 'png')
    with pytest.raises(ResultError, match=r'category 66 does not fit into 16 bits \(66001 > 65535'):
        export_mots_png(many(1, 66), annotations({66: 'a'}), tmp_path / 'n')


def txt_folder(tmp_path, text):
    for video_id in LENGTHS:
        (tmp_path / f'city-v-{video_id}.txt').write_text('')
    (tmp_path / 'city-v-2.txt').write_text(text)
    return {'visible': tmp_path}


GOOD = f'1 1001 1 9 30 {many(1)[0].masks["visible"][0]["counts"]}'


@pytest.mark.parametrize(('line', 'message'), [
    ('1 1001 1 9 30', 'is not "frame id class height width rle"'),
    ('a 1001 1 9 30 x', 'is not "frame id'), ('1 1001 1 9 30 x y', 'is not "frame id'),
    (GOOD.replace('1 1001', '4 1001'), 'frame 4 is not one of the 4 .* count from 0 here'),
    (GOOD.replace('9 30', '30 9'), r'has size \[30, 9\], but the image is \[9, 30\]'),
    (GOOD, 'track 1001 of video 2 .* stands twice in frame 1'),
    ('1 1002 1 9 30 \x7f', 'counts is not a COCO RLE string'),
    ('1 1002 1 9 30 53', 'counts describes 8 pixels')])
def test_broken_lines_are_named(tmp_path, line, message):
    with pytest.raises(ResultError, match=rf'city-v-2\.txt: line 2: .*{message}'):
        import_mots_txt(txt_folder(tmp_path, f'{GOOD}\n{line}\n'), annotations())


def test_an_empty_line_is_no_object(tmp_path):
    tracks = import_mots_txt(txt_folder(tmp_path, f'{GOOD}\r\n\r\n'), annotations())
    assert [track.track_id for track in tracks] == [1001]


def test_ignored_regions_are_no_tracks(tmp_path):
    ignored = GOOD.replace('1001 1', '10000 10')
    tracks = import_mots_txt(txt_folder(tmp_path, f'{GOOD}\n{ignored}\n'), annotations())
    assert [track.track_id for track in tracks] == [1001]


@pytest.mark.parametrize(('change', 'message'), [
    (lambda f: (f / '000000.png').unlink(), r'000000\.png is missing: video 2 .*000003\.png'),
    (lambda f: (f / '000003.png').rename(f / '000004.png'), r'000003\.png is missing'),
    (lambda f: (f / '000004.png').write_bytes(b''), r'000004\.png is extra'),
    (lambda f: (f / '000001.png').write_bytes(b''), r'000001\.png: must be .*, got no image'),
    (lambda f: cv2.imwrite(str(f / '000001.png'), np.zeros((9, 30), np.uint8)), 'got uint8'),
    (lambda f: cv2.imwrite(str(f / '000001.png'), np.zeros((30, 9), np.uint16)), r'\(30, 9\)'),
    (lambda f: cv2.imwrite(str(f / '000001.png'), np.full((9, 30), 2001, np.uint16)),
     'unknown category_id 2')])
def test_broken_images_are_named(tmp_path, change, message):
    export_mots_png(many(1), annotations(), tmp_path / 'm')
    change(tmp_path / 'm' / 'city-v-2')
    with pytest.raises(ResultError, match=message):
        import_mots_png({'visible': tmp_path / 'm'}, annotations())


@pytest.mark.parametrize('name', FORMATS)
def test_no_tracks(tmp_path, name):
    export, read = FORMATS[name]
    export([], annotations(), tmp_path / 'm')
    assert read({'visible': tmp_path / 'm'}, annotations()) == []
    with pytest.raises(ResultError, match='has no amodal masks'):
        export(many(1), annotations(), tmp_path / 'n', 'amodal')
