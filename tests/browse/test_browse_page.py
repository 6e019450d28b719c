"""The page in a real browser: what is drawn, what keys and clicks do, in one launch."""
from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from browse_data import SCRIPT
from chromium import NAMES, Chromium, find_chromium

from vatrack.browse import BrowseServer, Source, export_page

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason=f'needs a browser: one of {", ".join(NAMES)}')


@pytest.fixture(scope='module')
def url(source) -> Iterator[str]:
    with BrowseServer(source, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': .01})
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.fixture(scope='module')
def browser(tmp_path_factory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp('profile')) as browser:
        yield browser


class Page:
    """Short ways to look at the page."""

    def __init__(self, browser: Chromium) -> None:
        self.browser = browser

    def shows(self, place: str) -> None:
        """Wait until a frame is drawn: 'video id/position'."""
        self.browser.wait(f"document.documentElement.dataset.shown === '{place}'")

    def count(self, selector: str) -> int:
        return self.browser.evaluate(f'document.querySelectorAll({selector!r}).length')

    def texts(self, selector: str) -> list[str]:
        return self.browser.evaluate(
            f'[...document.querySelectorAll({selector!r})].map(each => each.textContent)')

    def errors(self) -> str | None:
        return self.browser.evaluate('document.documentElement.dataset.errors')

    def hash(self) -> str:
        return self.browser.evaluate('address()')


@pytest.fixture
def page(browser) -> Iterator[Page]:
    page = Page(browser)
    yield page
    assert page.errors() is None


TRUTH, PREDICTION = '[data-layer=truth] ', '[data-layer=prediction] '


def test_a_link_shows_what_it_says(url, browser, page):
    browser.open(f'{url}#video=10&frame=2&show=amodal,occluded,ids&score=0.1&select=t7')
    page.shows('10/2')
    assert page.texts('.label') == ['7', '9', '4', '5', '6']
    assert page.count('.areas .visible') == 0
    assert page.count(TRUTH + '.areas .occluded') == 2
    assert page.count(TRUTH + '.line.dashed') == 2
    assert page.count('.outline.selected') == 1
    assert page.texts('#details h3') == ['Truth 7 fish']
    assert page.texts('#video-name') == ['reef']
    assert browser.evaluate(
        "[...document.querySelectorAll('[data-layer=prediction] .line')].map("
        "each => each.getAttribute('stroke'))")[0] == browser.evaluate(
        "document.querySelector('[data-layer=truth] .line').getAttribute('stroke')")


def test_toggles_and_filters(url, browser, page):
    browser.open(f'{url}#video=10&frame=0')
    page.shows('10/0')
    assert page.texts(PREDICTION + '.hit') == ['', '']  # the third has a score of 0.2
    assert page.count('.box') == 0
    browser.press('b')
    browser.press('v')
    browser.wait("document.querySelector('.box') && !document.querySelector('.areas .visible')")
    assert 'show=amodal,boxes,classes,ids,occluded,scores' in page.hash()
    browser.evaluate("update({score: 0.9})")
    browser.wait(f"document.querySelectorAll('{PREDICTION}.hit').length === 1")
    browser.evaluate("update({classes: new Set([1])})")
    browser.wait("document.querySelectorAll('.hit').length === 1")
    browser.evaluate("update({classes: new Set(), occlusion: [40, 60]})")
    browser.wait("document.querySelectorAll('.hit').length === 2")
    assert 'occlusion=40-60' in page.hash()


def test_errors_are_counted_and_gone_through(url, browser, page):
    browser.open(f'{url}#video=10&frame=0')
    page.shows('10/0')
    assert page.texts('#errors .error')[:2] == ['missed 1', 'unmatched 1']
    browser.click('#errors [data-name=missed]')
    browser.wait("document.querySelectorAll('.outline:not(.faint)').length === 1")
    assert page.hash().endswith('error=missed')
    assert page.texts('.label.wrong')[0].startswith('9 ')
    assert page.count('#marks .error-mark') == 1


def test_keys_move_in_time_and_through_the_list(url, browser, page):
    browser.open(f'{url}#video=10')
    page.shows('10/0')
    for key, place in (('ArrowRight', 1), ('End', 4), ('ArrowLeft', 3), ('Home', 0)):
        browser.press(key)
        page.shows(f'10/{place}')
    browser.press('j')
    page.shows('11/0')
    browser.press('ArrowUp')
    page.shows('10/0')
    browser.press('ArrowRight', shift=True)
    page.shows('10/4')
    browser.press('?')
    assert browser.evaluate('byId("help").open')
    browser.press('j')  # not for the page below
    browser.evaluate('byId("help").close()')
    browser.wait('document.activeElement === document.body')
    assert page.hash() == '#video=10&frame=4'
    browser.press(' ')
    browser.wait('state.isPlaying && state.frame < 4')  # at the end it starts again
    browser.press(' ')
    browser.wait('!state.isPlaying')


def test_a_click_selects_an_object_and_its_match(url, browser, page):
    browser.open(f'{url}#video=10&frame=1')
    page.shows('10/1')
    browser.click(TRUTH + '[data-key=t7]')
    browser.wait("document.querySelector('#details h3')")
    assert page.texts('#details h3') == ['Truth 7 fish']
    details = dict(zip(page.texts('#details dt'), page.texts('#details dd'), strict=True))
    assert details == {
        'present in': '5 of 5 frames', 'from, to': '1 to 5', 'track occlusion': '50 %',
        'match': 'prediction 4', 'video IoU': '1.00', 'occlusion': '50 %',
        'amodal area': '320 px', 'visible area': '160 px', 'amodal IoU': '1.00',
        'visible IoU': '1.00'}
    assert page.count('.outline:not(.faint)') == 2
    assert not browser.evaluate("byId('tooltip').hidden")
    browser.click('#details .link')
    browser.wait("document.querySelector('#details h3').textContent === 'Prediction 4 fish'")
    browser.press('Escape')
    browser.wait("!document.querySelector('#details h3')")


def test_a_missing_picture_is_named_and_listed(url, browser, page):
    browser.open(f'{url}#video=10&frame=3')
    page.shows('10/3')
    assert page.texts('.placeholder') == ['No picture of this frame: v0/3.png'] * 2
    assert page.texts('#details li') == ['v0/3.png']
    assert page.count('.hit') > 0


def test_names_are_texts(url, browser, page):
    browser.open(f'{url}#video=11')
    page.shows('11/0')
    assert page.texts('#video-name') == [SCRIPT]
    assert '…' + SCRIPT[-29:] in page.texts('.video b')
    assert browser.evaluate('[...document.querySelectorAll(".video")].map(each => each.title)'
                            )[1] == SCRIPT
    assert page.count('script:not([src])') == 0


def test_an_error_in_the_data_is_said(url, browser, page):
    browser.open(f'{url}#video=10')
    page.shows('10/0')
    browser.evaluate("documents.set('video-1', {error: 'this video is broken'})")
    browser.press('j')
    browser.wait("byId('notice').textContent === 'this video is broken'")
    browser.press('j')
    page.shows('12/0')
    assert browser.evaluate("byId('notice').hidden")


@pytest.mark.parametrize('width, scheme', [(390, 'dark'), (1280, 'light')])
def test_everything_fits_into_the_window(url, browser, page, width, scheme):
    browser.open(f'{url}#video=10&frame=1&select=p4', width, 844, scheme)
    page.shows('10/1')
    assert browser.evaluate('document.documentElement.scrollWidth') <= width
    for part in ('details', 'strips', 'controls'):
        assert browser.evaluate(f'{part}.scrollHeight <= {part}.offsetHeight'), part
    panels = browser.evaluate("[...document.querySelectorAll('.stage')].map("
                              "each => each.getBoundingClientRect().y)")
    assert (panels[0] < panels[1]) == (width == 390)  # one above the other
    assert all(browser.evaluate(
        "[...document.querySelectorAll('button, input, select')].map(each => Boolean("
        "each.textContent.trim() || each.ariaLabel || each.labels?.length))"))


def test_the_export_works_as_a_file(source, tmp_path, browser, page):
    page_file = export_page(source, tmp_path / 'page')
    browser.open(f'{page_file.as_uri()}#video=11&frame=4')
    page.shows('11/4')
    assert page.count('.hit') == 2
    assert browser.evaluate("document.querySelector('canvas').width") == 64
    browser.press('k')
    page.shows('10/0')
    assert page.texts('#video-name') == ['reef']


def test_predictions_alone(made, tmp_path, browser, page):
    content = json.loads((made / 'annotations.json').read_text()) | {'annotations': []}
    (tmp_path / 'a.json').write_text(json.dumps(content))
    page_file = export_page(Source(tmp_path / 'a.json', made, made / 'results.json'),
                            tmp_path / 'page')
    browser.open(f'{page_file.as_uri()}#video=10&frame=3')
    page.shows('10/3')
    assert page.texts('.panel figcaption') == ['Prediction 2 objects']
    assert page.texts('.strip .name span:nth-child(2)') == ['4 fish', '5 fish']
    assert page.count('#errors *') == 0


def test_truth_alone(made, tmp_path, browser, page):
    page_file = export_page(Source(made / 'annotations.json', made, videos=['empty']),
                            tmp_path / 'page')
    browser.open(page_file.as_uri())
    page.shows('12/0')
    assert page.texts('.panel figcaption') == ['Truth 0 objects']
