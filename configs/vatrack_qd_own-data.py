"""QD-based VATrack, ResNet-50, on data of your own, 1280x800, 12 epochs, batch 4.

data    python tools/convert.py FORMAT ... --out data/own, for --split train and --split val
train   python tools/train.py configs/vatrack_qd_own-data.py
test    python tools/test.py configs/vatrack_qd_own-data.py CHECKPOINT --eval AP vAP
parts   models/tracked_detector.py, models/detectors/two_stage.py, models/detectors/roi_head.py,
        models/association/base.py, models/association/qd_head.py, track/quasi_dense.py

The data are in data/own, or in the folder that the environment variable VATRACK_DATA names; the
classes are those of its train.json. Frames that stay elsewhere are found by
    --cfg-options train_dataloader.dataset.data_prefix.img_path=/where/they/are/

Data with visible masks only: configs/qdtrack_qd_own-data.py. At a size that trains on a CPU:
configs/vatrack/qd_own-data_cpu.py.
"""
_base_ = [
    '_base_/models/tracked_rcnn_r50.py', '_base_/association/qd.py',
    '_base_/datasets/own_data.py', '_base_/schedules/sgd_12e.py', '_base_/runtime.py'
]
model = dict(association=_base_.association)
