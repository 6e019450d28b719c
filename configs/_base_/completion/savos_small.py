# SaVos at a size that trains on a CPU: 1.0 M parameters, patches of 32 x 32, which show small
# objects pixel by pixel (look.size=(32, 32) of the data).
_base_ = './savos.py'
model = dict(
    completer=dict(
        patch_size=(32, 32),
        widths=(16, 32, 64, 128),
        motion_widths=(8, 16, 32, 64),
        hidden=128),
    # Late in training both losses are then of one size; much more of L_C makes objects that are not
    # hidden at all reach under others.
    objective=dict(consistency_weight=10.0))
