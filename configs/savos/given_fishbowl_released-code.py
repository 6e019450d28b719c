"""SaVos as its released code trains it, where that departs from the paper.

Whole frames as windows, regions scaled by one frame of a clip, warps that move half a pixel, flow
to the right in place of the mask, the cumulative consistency loss of merged masks, and the
photometric loss (its backward half, which compares other frames in the code, is right here).

train   python tools/train.py configs/savos/given_fishbowl_released-code.py
test    python tools/test.py configs/savos/given_fishbowl_released-code.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_fishbowl.py'
look = dict(enlarge=1.5, aspect=None, whole_frame=True)
train_dataloader = dict(batch_size=12, dataset=dict(look=look))
val_dataloader = dict(dataset=dict(look=look))
test_dataloader = dict(dataset=dict(look=look))
model = dict(
    completer=dict(geometry='released', mask_branch_input='u_flow'),
    objective=dict(
        consistency='code',
        consistency_weight=1.0,
        photometric_weight=0.1,
        ends=False,
        half_pixel=True))
