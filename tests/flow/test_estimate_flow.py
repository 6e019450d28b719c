"""Estimators: on images whose motion is known, and on frames of Sintel."""
from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scripts import REPO
from torchvision.models.optical_flow import raft_small

from vatrack.flow import DISFlow, FlowError, RAFTFlow
from vatrack.video.source import read_image

SINTEL = REPO.parent / 'shared/data/real/raft-frames/demo-frames'


def picture(height: int, width: int, shift: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Blurred noise, whose content lies ``shift`` (x, y) further right and down."""
    noise = np.random.default_rng(3).random((height + 64, width + 64, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    x, y = 32 - shift[0], 32 - shift[1]
    return (255 * smooth[y:y + height, x:x + width]).astype(np.uint8)


@pytest.mark.parametrize('size', [(120, 160), (50, 56)])
def test_dis_finds_a_shift(size):
    """Frames with a side below 100 are enlarged, the field is that of their own size."""
    forward, backward = DISFlow()([picture(*size), picture(*size, (3, -2))],
                                  [picture(*size, (3, -2)), picture(*size)])
    assert forward.shape == (*size, 2) and forward.dtype == np.float32
    inside = np.s_[12:-12, 12:-12]
    assert np.abs(forward[inside] - (3, -2)).mean() < 0.2
    assert np.abs(backward[inside] - (-3, 2)).mean() < 0.2


def test_dis_on_sintel():
    """Warped by the flow, the next frame looks like this one: much better than unwarped."""
    if not SINTEL.is_dir():
        pytest.skip(f'needs the frames of Sintel in {SINTEL}')
    first, second = (read_image(SINTEL / f'frame_{number:04d}.png') for number in (16, 17))
    [field] = DISFlow()([first], [second])
    grid = np.stack(np.meshgrid(*map(np.arange, first.shape[1::-1])), axis=2).astype(np.float32)
    back = cv2.remap(second, grid + field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    still, moved = (np.abs(each.astype(int) - first).mean() for each in (second, back))
    assert moved < 0.5 * still


def test_an_estimator_remembers_nothing():
    pair, other = [picture(120, 160), picture(120, 160, (3, -2))], picture(120, 160, (-9, 5))
    estimate = DISFlow('fast')
    [first], _, [again] = (estimate([pair[0]], [each]) for each in (pair[1], other, pair[1]))
    assert np.array_equal(first, again)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('raft') / 'small.pth'
    torch.save(raft_small(weights=None).state_dict(), path)
    return path


def test_raft_pads_and_never_cuts_off(weights):
    """At any size the field has that size; where no padding is needed, it is the network's own."""
    estimate = RAFTFlow(weights, num_updates=2, upsampling=1)
    [field] = estimate([picture(50, 131)], [picture(50, 131, (1, 0))])
    assert field.shape == (50, 131, 2) and field.dtype == np.float32 and np.isfinite(field).all()
    images = [picture(128, 136), picture(128, 136, (2, 2))]
    network = raft_small(weights=None).eval()
    network.load_state_dict(torch.load(weights))
    first, second = (torch.from_numpy(each).permute(2, 0, 1)[None] / 127.5 - 1 for each in images)
    with torch.no_grad():
        expected = network(first, second, num_flow_updates=2)[-1][0].permute(1, 2, 0)
    single, reverse = estimate(images, images[::-1])
    assert np.allclose(single, expected, atol=1e-3)
    assert not np.allclose(reverse, expected, atol=1e-3)


def test_wrong_weights(weights, tmp_path):
    with pytest.raises(FlowError, match=r'no\.pth: no such file'):
        RAFTFlow(tmp_path / 'no.pth')
    (tmp_path / 'text.pth').write_text('weights')
    with pytest.raises(FlowError, match=r'text\.pth: no file of weights'):
        RAFTFlow(tmp_path / 'text.pth')
    torch.save({'a': torch.zeros(1)}, tmp_path / 'other.pth')
    with pytest.raises(FlowError, match=r"other\.pth: holds other weights than .*raft_small"):
        RAFTFlow(tmp_path / 'other.pth')


def test_wrong_options_and_images(weights):
    with pytest.raises(ValueError, match='preset'):
        DISFlow('best')
    with pytest.raises(ValueError, match='upsampling'):
        DISFlow(upsampling=0)
    with pytest.raises(ValueError, match='batch_size'):
        RAFTFlow(weights, batch_size=0)
    with pytest.raises(FlowError, match='same size'):
        DISFlow()([picture(60, 60)], [picture(60, 64)])
    assert DISFlow()([], []) == []
