from __future__ import annotations

import matplotlib
import pytest
from matplotlib.figure import Figure
from PIL import Image

from vatrack.visualization.print_figure import new_figure, print_settings, save_figure


def drawn() -> Figure:
    figure = new_figure(2, 1, layout='constrained')
    ax = figure.subplots()
    ax.bar([0, 1], [1, 2], hatch='//', label='systems')
    ax.imshow([[0, 1], [1, 0]], extent=(0, 1, 0, 1), aspect='auto')
    ax.set_title('AP$_{50}$')
    figure.legend()
    return figure


@pytest.mark.parametrize('suffix', ['.png', '.svg', '.pdf', '.PNG'])
def test_files_are_equal_whatever_the_settings_outside_are(tmp_path, suffix):
    paths = [tmp_path / f'{name}{suffix}' for name in 'ab']
    for path, changes in zip(paths, ({}, {'font.size': 20, 'axes.grid': True}), strict=True):
        with matplotlib.rc_context(changes), print_settings():
            save_figure(path, drawn())
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_sizes_are_in_inches(tmp_path):
    with print_settings():
        save_figure(tmp_path / 'a.png', drawn())
        save_figure(tmp_path / 'a.svg', drawn())
    image = Image.open(tmp_path / 'a.png')
    assert image.size == (600, 300)
    text = (tmp_path / 'a.svg').read_text()
    assert 'width="144pt" height="72pt"' in text
    assert '>systems</text>' in text and '<dc:date>' not in text


def test_figures_without_room_are_refused(tmp_path):
    figure = new_figure(.4, .3, layout='constrained')
    with print_settings(), pytest.raises(ValueError, match=r'0\.4x0\.3 inches have no room'):
        figure.subplots().set_ylabel('image level')
        save_figure(tmp_path / 'a.svg', figure)
    assert not list(tmp_path.iterdir())


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r'a\.jpg: figures are written as \.png, \.svg, \.pdf'):
        save_figure(tmp_path / 'a.jpg', drawn())
    assert not list(tmp_path.iterdir())
