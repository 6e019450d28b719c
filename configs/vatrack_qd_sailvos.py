"""QD-based VATrack trained on SAIL-VOS-cut, tested on the uncut SAIL-VOS videos.

The paper trains all its models on SAIL-VOS-cut (uncut training does not converge, says the
released code) and tests them on both.

train   python tools/train.py configs/vatrack_qd_sailvos.py
test    python tools/test.py configs/vatrack_qd_sailvos.py CHECKPOINT --eval AP vAP
paper   amodal AP 18.3, vAP 3.8 / vAP50 5.4; visible vAP 3.2 / vAP50 7.1
"""
_base_ = './vatrack_qd_sailvos-cut.py'
test_ann = 'sailvos_complete_json/joint/valid.json'
test_dataloader = dict(
    dataset=dict(ann_file=test_ann, data_prefix=dict(img_path='sailvos_complete_png/')))
test_evaluator = dict(ann_file='data/' + test_ann)
