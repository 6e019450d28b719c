# SaVos (Yao et al., NeurIPS 2022): 17.3 M parameters. Sizes are those of the paper's Table 6 and,
# where it says nothing, of the released code. Regions are of the aspect of a patch (look.aspect=2.0
# of the data).
model = dict(
    type='TrackCompleter',
    completer=dict(
        type='SaVos',
        patch_size=(64, 128),
        inputs=['image', 'visible', 'flow'],
        widths=(32, 64, 128, 256, 256, 512),
        motion_widths=(16, 32, 64, 128, 256, 256),
        hidden=256,
        temporal=True,
        directions='both',
        mask_branch_input='visible',
        geometry='per_frame'),
    objective=dict(
        type='SelfSupervised',
        consistency='paper',
        mask_weight=1.0,
        # The paper does not give the weights. The code's are 1, but it sums L_C over time with
        # weights that add up to 780 for 40 frames, where here it is a mean.
        consistency_weight=780.0,
        photometric_weight=0.0,
        reduction='sum'),
    compose='occluders',
    threshold=0.5)
