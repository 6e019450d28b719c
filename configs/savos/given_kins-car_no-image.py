"""SaVos without the image (SaVos paper, supplement, Table 3).

train   python tools/train.py configs/savos/given_kins-car_no-image.py
test    python tools/test.py configs/savos/given_kins-car_no-image.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_kins-car.py'
model = dict(completer=dict(inputs=['visible', 'flow']))
