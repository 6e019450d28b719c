"""SaVos without temporal embedding (SaVos paper, supplement, Table 1).

train   python tools/train.py configs/savos/given_kins-car_no-temporal.py
test    python tools/test.py configs/savos/given_kins-car_no-temporal.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_kins-car.py'
model = dict(completer=dict(temporal=False))
