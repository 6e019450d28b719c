"""The page: well-formed, self-contained, escaped, bounded; its pictures and plots."""
from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from error_scenes import CRAB, FISH, LENGTH, SIZE, Scene, box, during, random_scene

from vatrack.analysis.collector import Settings
from vatrack.analysis.errors import analyze_errors
from vatrack.analysis.page import error_page, save_page
from vatrack.analysis.pictures import TRACK_COLORS, TRUTH_COLORS, Painter, window
from vatrack.analysis.svg import Axis, Line, count_axis, line_chart, percent_axis, stacked_bars
from vatrack.files import AnnotationError

A, B = box(5), box(30)
VOID = {'meta', 'link', 'img', 'br', 'hr', 'input'}
HOSTILE = '<b>"fish" & \'chips\'</b><script>alert(1)</script>'


class Page(HTMLParser):
    """Reads a page and refuses what is not well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f'never closed: {self.open}'

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f'{tag} has an attribute twice'
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f'</{tag}> closes nothing'

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def report_of(scene, protocol='sailvos-full', **settings):
    return analyze_errors(scene.annotations(), scene.tracks, protocol,
                          settings=Settings(**settings), results='results.json')


def page_of(scene, image_root=None, **settings):
    painter = Painter(scene.annotations(), scene.tracks, 'sailvos-full', image_root)
    return error_page(report_of(scene, **settings), painter)


def write_images(scene, folder, color=(60, 60, 90)):
    """Frames of one BGR colour."""
    for video in scene.videos.values():
        for frame in video.frames:
            path = folder / frame.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((*SIZE, 3), color, np.uint8))


@pytest.fixture(scope='module')
def scene():
    return random_scene(3)


def test_the_page_is_well_formed_and_complete(scene):
    page = Page(page_of(scene))
    kinds = [attributes.get('id') for attributes in page.all('section')]
    assert kinds == ['amodal', 'visible']
    assert [attributes['href'] for attributes in page.all('a')] == ['#amodal', '#visible']
    assert len(page.all('svg')) == 2 * 3
    assert len(page.all('table')) == len(page.all('caption')) == 4
    viewport = {'name': 'viewport', 'content': 'width=device-width, initial-scale=1'}
    assert viewport in page.all('meta')
    assert page.all('html') == [{'lang': 'en'}]
    ids = [attributes['id'] for _, attributes in page.tags if 'id' in attributes]
    assert len(set(ids)) == len(ids)


def test_the_page_needs_nothing_from_outside(scene):
    text = page_of(scene)
    page = Page(text)
    assert not re.search(r'https?:|url\(|@import|<script|\son\w+=', text)
    for tag, attributes in page.tags:
        assert tag not in {'iframe', 'object', 'embed', 'base', 'form'}
        for name in ('src', 'srcset', 'href', 'data', 'poster', 'action', 'xlink:href'):
            assert attributes.get(name, '#').startswith(('#', 'data:')), (tag, attributes)
    policies = [attributes['content'] for attributes in page.all('meta')
                if attributes.get('http-equiv') == 'Content-Security-Policy']
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_the_page_speaks_to_those_who_do_not_see_it(scene):
    page = Page(page_of(scene))
    assert page.all('img')
    assert all(attributes['alt'] for attributes in page.all('img'))
    assert all(attributes['role'] == 'img' and attributes['aria-label']
               for attributes in page.all('svg'))
    assert all(attributes['scope'] in {'row', 'col', 'colgroup'} for attributes in page.all('th'))


def test_names_are_text_and_never_markup():
    scene = Scene({FISH: HOSTILE, CRAB: 'crab'})
    scene.object(0, A)
    scene.track(.9, during(A, range(4)))
    scene.track(.8, B, category=CRAB)
    scene.videos[1].name = HOSTILE
    annotations = replace(scene.annotations(), path=HOSTILE)
    report = replace(analyze_errors(annotations, scene.tracks), results=HOSTILE)
    text = error_page(report, Painter(annotations, scene.tracks, 'sailvos-full'))
    page = Page(text)
    assert '<script' not in text and 'alert(1)' in text
    assert sum(HOSTILE in part for part in page.text) >= 4  # both files, video, class
    assert any(HOSTILE in attributes['alt'] for attributes in page.all('img'))


def test_the_number_of_pictures_is_bounded():
    scene = Scene()
    for video in range(1, 9):
        for number in range(4):
            scene.object(number, box(14 * number), video=video)
            scene.track(.5, box(14 * number, top=28), video=video)
    counts = {worst: len(Page(page_of(scene, worst=worst)).all('img')) for worst in (0, 2, 3)}
    assert counts == {0: 0, 2: 8, 3: 12}  # missed and background, of two kinds
    assert len(page_of(scene, worst=3)) < 200_000


def test_without_images_the_page_says_so(scene, tmp_path):
    note = 'masks are drawn on plain ground'
    write_images(scene, tmp_path)
    assert note in page_of(scene)
    assert note not in page_of(scene, tmp_path)


def test_a_page_of_perfect_tracks_has_no_pictures():
    scene = Scene()
    scene.object(0, A)
    scene.track(.9, A)
    page = Page(page_of(scene))
    assert not page.all('img')
    assert 'There is none.' in page.text
    assert 'No single repair gains vAP50.' in page.text


@pytest.mark.parametrize('empty', ['tracks', 'truth', 'both'])
def test_pages_of_empty_files(empty):
    scene = Scene()
    if empty == 'tracks':
        scene.object(0, A)
    elif empty == 'truth':
        scene.track(.9, A)
    Page(page_of(scene))


def test_missing_frames_are_named_and_no_page_is_written(scene, tmp_path):
    painter = Painter(scene.annotations(), scene.tracks, 'sailvos-full', tmp_path)
    with pytest.raises(AnnotationError, match=r'no frame .*v\d/\d\.png'):
        save_page(tmp_path / 'page.html', report_of(scene), painter)
    assert not list(tmp_path.iterdir())


def first_picture(scene, cause, image_root=None, kind='amodal'):
    report = report_of(scene)
    loss = next(each for each in report.kinds[kind].causes if each.cause == cause)
    painter = Painter(scene.annotations(), scene.tracks, 'sailvos-full', image_root)
    picture = painter.paint(kind, loss.worst[0])
    image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert image.shape == (picture.height, picture.width, 3)
    return image


def has_color(image, color):
    return (np.abs(image.astype(int) - color).max(axis=2) < 40).any()


def test_a_picture_shows_frame_track_and_object(tmp_path):
    scene = Scene()
    scene.object(0, A)
    scene.track(.9, box(5, width=4))
    write_images(scene, tmp_path)
    image = first_picture(scene, 'mask', tmp_path)
    assert image.shape == (200, 300, 3)
    assert has_color(image, (90, 60, 60))
    assert has_color(image, TRACK_COLORS[0]) and has_color(image, TRUTH_COLORS[0])
    assert not has_color(image, TRACK_COLORS[1])


def test_a_picture_of_a_missed_object_has_no_track():
    scene = Scene()
    scene.object(0, A)
    image = first_picture(scene, 'missed')
    assert has_color(image, TRUTH_COLORS[0]) and not has_color(image, TRACK_COLORS[0])


def test_an_identity_switch_has_two_frames_and_two_objects():
    scene = Scene()
    scene.object(0, A)
    scene.object(1, B)
    scene.track(.9, during(A, range(5)) | during(B, range(5, LENGTH)))
    image = first_picture(scene, 'switch')
    assert image.shape == (200, 606, 3)
    assert has_color(image, TRUTH_COLORS[0]) and has_color(image, TRUTH_COLORS[1])


def test_a_fragment_has_two_tracks_in_order_of_time():
    scene = Scene()
    scene.object(0, A)
    scene.track(.9, during(box(5, width=7), range(6, LENGTH)))
    scene.track(.8, during(box(5, width=7), range(3)))
    image = first_picture(scene, 'fragmentation')
    left, right = image[:, :300], image[:, 306:]
    assert has_color(left, TRACK_COLORS[0]) and not has_color(left, TRACK_COLORS[1])
    assert has_color(right, TRACK_COLORS[1]) and not has_color(right, TRACK_COLORS[0])


@pytest.mark.parametrize(('boxes', 'expected'), [
    ([], (0, 0, 1280, 800)), ([(0, 0, 0, 0)], (0, 0, 1280, 800)),
    ([(600, 400, 601, 401)], (440, 300, 320, 200)), ([(0, 0, 20, 10)], (0, 0, 320, 200)),
    ([(1270, 790, 1280, 800)], (960, 600, 320, 200)), ([(0, 0, 1280, 800)], (0, 0, 1280, 800)),
    ([(100, 100, 200, 150), (500, 300, 600, 350)], (0, 0, 800, 500))])
def test_the_window_of_a_picture(boxes, expected):
    assert window(np.array(boxes, float).reshape(-1, 4), 1280, 800) == expected


@pytest.mark.parametrize(('highest', 'ticks'), [
    (0, [0, 1]), (1, [0, 1]), (5, [0, 1, 2, 3, 4, 5]), (6, [0, 2, 4, 6]),
    (23, [0, 5, 10, 15, 20, 25]), (51, [0, 20, 40, 60]), (1234, [0, 500, 1000, 1500])])
def test_ticks_of_counts(highest, ticks):
    axis = count_axis('tracks', highest)
    assert [value for value, _ in axis.ticks] == ticks
    assert (axis.low, axis.high) == (0, ticks[-1])


def test_a_line_breaks_where_it_has_no_value():
    svg = line_chart('a < b', 'c & "d"', [Line('x', [0, .5, 1], [.1, None, .3], dots=True)],
                     percent_axis('x'), percent_axis('y'), [(0, '7')])
    page = Page(svg)
    assert page.all('svg')[0]['aria-label'] == 'a < b. c & "d"'
    line = next(attributes for attributes in page.all('path') if 's0' in attributes['class'])
    assert 'L' not in line['d']
    assert len(page.all('circle')) == 2
    assert '7' in page.text


def test_bars_stand_on_one_another():
    svg = stacked_bars('t', 'd', [0, .5, 1], {'low': [2, 0], 'high': [1, 0]},
                       Axis('x', 0, 1, []), count_axis('y', 3))
    bars = [{name: float(bar[name]) for name in ('x', 'y', 'width', 'height')}
            for bar in Page(svg).all('rect') if 'key' not in bar['class']]
    low, high = bars
    assert high['y'] + high['height'] == pytest.approx(low['y'], abs=.11)
    assert low['height'] == pytest.approx(2 * high['height'], abs=.2)
