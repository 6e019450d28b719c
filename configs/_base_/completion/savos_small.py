# SaVos at a size that trains on a CPU: patches of 32 x 32, which show small objects pixel by pixel
# (look.size=(32, 32) of the data).
_base_ = './savos.py'
model = dict(
    completer=dict(
        patch_size=(32, 32),
        widths=(16, 32, 64, 128),
        motion_widths=(8, 16, 32, 64),
        hidden=128,
        # Not in the paper: what is visible need not pass through a vector. In trainings of minutes
        # it decides between blobs and shapes.
        skips=True),
    # Of an object of 150 pixels, one that is carried wrongly is then worth about one in L_M.
    objective=dict(consistency_weight=100.0))
