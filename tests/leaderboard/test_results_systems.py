from __future__ import annotations

import pytest

from vatrack.leaderboard import SYSTEMS, ConfigName, name_config


@pytest.mark.parametrize(('path', 'expected'), [
    ('configs/vatrack_qd_sailvos-cut.py',
     ConfigName('vatrack_qd_sailvos-cut', 'vatrack_qd', 'VATrack (QD)', 'sailvos-cut')),
    ('/x/configs/vatrack-2box_qd_synthetic.py',
     ConfigName('vatrack-2box_qd_synthetic', 'vatrack-2box_qd', 'VATrack (QD), two boxes',
                'synthetic')),
    ('configs/masktrack-rcnn_mt_sailvos.py',
     ConfigName('masktrack-rcnn_mt_sailvos', 'masktrack-rcnn_mt', 'MaskTrack R-CNN', 'sailvos')),
    ('configs/vatrack/qd_sailvos-cut_lambda-0.5-1.5.py',
     ConfigName('vatrack/qd_sailvos-cut_lambda-0.5-1.5', 'vatrack_qd',
                'VATrack (QD), lambda-0.5-1.5', 'sailvos-cut', 'lambda-0.5-1.5')),
    ('configs/vatrack/qd_sailvos-cut_640x400.py',
     ConfigName('vatrack/qd_sailvos-cut_640x400', 'vatrack_qd', 'VATrack (QD), 640x400',
                'sailvos-cut', '640x400')),
    ('mine/vatrack_qd_synthetic.py',
     ConfigName('vatrack_qd_synthetic', 'vatrack_qd', 'VATrack (QD)', 'synthetic')),
    ('mine/vatrack_qd.py', ConfigName('vatrack_qd', 'vatrack_qd', 'vatrack_qd')),
    ('configs/vatrack/mask-rcnn_synthetic.py',
     ConfigName('vatrack/mask-rcnn_synthetic', 'mask-rcnn_synthetic', 'mask-rcnn_synthetic',
                'synthetic')),
    ('configs/other/new.py', ConfigName('other/new', 'new', 'new')),
])
def test_a_name_says_system_dataset_and_variant(path, expected):
    assert name_config(path) == expected


def test_one_box_and_two_boxes_are_not_mistaken():
    assert len(set(SYSTEMS.values())) == len(SYSTEMS)
    assert name_config('vatrack-2box_qd_sailvos.py').system != (
        name_config('vatrack_qd_sailvos.py').system)
