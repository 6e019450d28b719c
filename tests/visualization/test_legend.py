from __future__ import annotations

import cv2
import numpy as np

from vatrack.visualization.draw import SHOWN
from vatrack.visualization.legend import legend, main


def test_the_legend_shows_every_item_by_itself():
    image = legend()
    width, height, gap = 300, 188, 6
    footer = (image.shape[0] - 2 * 12 - gap) // 2 - height
    corners = [(12 + row * (height + footer + gap), 12 + column * (width + gap))
               for row in range(2) for column in range(4)]
    panels = [image[y:y + height, x:x + width] for y, x in corners]
    assert len(panels) == 1 + len(SHOWN)
    assert all((a != b).any() for i, a in enumerate(panels) for b in panels[:i])
    # No panel differs everywhere: they share the ground.
    assert all((panels[0] == panel).all(axis=2).mean() > 0.3 for panel in panels)


def test_the_command_writes_it(tmp_path, capsys):
    assert main([str(tmp_path / 'legend.png')]) == 0
    assert np.array_equal(cv2.imread(str(tmp_path / 'legend.png'))[..., ::-1], legend())
    assert main([]) == 2
    assert 'Usage' in capsys.readouterr().err
