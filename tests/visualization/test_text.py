from __future__ import annotations

import pytest

from vatrack.visualization.labels import fit_text, relative_width, text_size, wrap_text


@pytest.mark.parametrize('text', ['', 'i', 'MaskTrack R-CNN'])
def test_widths_scale_with_the_font(text):
    assert relative_width(text) * 40 == pytest.approx(text_size(text, 40)[0] if text else 0, abs=2)


def test_lines_are_as_long_as_they_can_be():
    text = 'one two three four'
    width = 10 * relative_width('one two')
    assert wrap_text(text, 10, width) == ['one two', 'three', 'four']
    assert wrap_text(text, 10, 1000) == [text]
    assert wrap_text('a verylongword b', 10, 20) == ['a', 'verylongword', 'b']
    assert wrap_text('', 10, 20) == []


def test_text_is_shortened_to_a_width_however_long_it_is():
    assert fit_text('otter', 12, text_size('otter', 12)[0]) == 'otter'
    for text in ('a name of some length', 'x' * 50_000):
        fitting = fit_text(text, 12, 60)
        longer = f'{text[:len(fitting)]}…'
        assert fitting.endswith('…') and text.startswith(fitting[:-1])
        assert text_size(fitting, 12)[0] <= 60 < text_size(longer, 12)[0]
    assert fit_text('otter', 12, 0) == ''
