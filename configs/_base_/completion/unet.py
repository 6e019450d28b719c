# A U-Net that learns from amodal masks, one image at a time: the supervised oracle of the SaVos
# paper on FISHBOWL and Chewing Gum. Of it the paper says "U-Net" alone. The network here is that of
# PCNet-M, with the image and the visible mask as input.
model = dict(
    type='TrackCompleter',
    completer=dict(
        type='ImageUNet',
        inputs=['visible', 'image'],  # 'others' would tell it where to grow
        patch_size=(256, 256),
        width=32,
        depth=4),
    objective=dict(type='Supervised', consistency=None, mask_weight=1.0, reduction='mean'),
    order=None,
    compose='occluders',
    threshold=0.5)
