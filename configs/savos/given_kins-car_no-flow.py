"""SaVos without optical flow (SaVos paper, supplement, Table 3).

train   python tools/train.py configs/savos/given_kins-car_no-flow.py
test    python tools/test.py configs/savos/given_kins-car_no-flow.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_kins-car.py'
model = dict(completer=dict(inputs=['image', 'visible']))
