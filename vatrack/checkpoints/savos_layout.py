"""The names of SaVos in its release, and in vatrack.

A release holds 64 x 128 patches of Yao et al.'s network; names are those of its code.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from .layout import Part, Shapes

#: What holds the network in the model of a config.
PREFIX = 'completer.network'

#: How a model has to be set for released weights.
SAVOS_ADVICE = ("released weights expect flow at the mask branch, and the release's geometry: set "
                'model.completer.mask_branch_input=u_flow and model.completer.geometry=released')

_WIDTHS = (32, 64, 128, 256, 256, 512)
_MOTION_WIDTHS = (16, 32, 64, 128, 256, 256)
_KERNELS = ((4, 4), (4, 4), (4, 4), (4, 4), (3, 4), (4, 4))
_HIDDEN = 256


def savos_parts() -> list[Part]:
    """All parts of a released checkpoint of SaVos."""
    mask, motion = 'mask_decoder', 'flow_decoder'
    return [
        *_encoder('st_encoder.encoder', 'st_encoder.encoder.6.1', 'encoder', 6, _WIDTHS),
        Part('st_encoder.lstm', _lstm(), (f'{PREFIX}.lstm',)),
        *_encoder(f'{mask}.down_networks', f'{mask}.last_vm_map.1', 'mask_encoder', 1, _WIDTHS),
        *_decoder(f'{mask}.fm_deconv_map.0', f'{mask}.up_networks', 0, 'mask_decoder'),
        *_encoder(f'{motion}.last_flow_encoder', f'{motion}.last_flow_encoder.6.1',
                  'motion_encoder', 2, _MOTION_WIDTHS),
        *_decoder(f'{motion}.flow_decoder.0.0', f'{motion}.flow_decoder', 1, 'motion_decoder'),
    ]


def _encoder(source: str, linear: str, target: str, channels: int,
             widths: Sequence[int]) -> Iterator[Part]:
    for i, (width, kernel) in enumerate(zip(widths, _KERNELS, strict=True)):
        ours = f'{PREFIX}.{target}.layers.{i}'
        yield Part(f'{source}.{i}.0', _layer(width, channels, *kernel), (f'{ours}.conv',))
        yield Part(f'{source}.{i}.1', _layer(width), (f'{ours}.norm',))
        channels = width
    yield Part(linear, _layer(_HIDDEN, channels), (f'{PREFIX}.{target}.fc',))


def _decoder(linear: str, source: str, first: int, target: str) -> Iterator[Part]:
    """Parts of a decoder, whose blocks are numbered from ``first`` on."""
    widths = (*reversed(_WIDTHS), 2)
    yield Part(linear, _layer(widths[0], 2 * _HIDDEN), (f'{PREFIX}.{target}.fc',))
    for i, kernel in enumerate(reversed(_KERNELS)):
        theirs, ours = f'{source}.{first + i}', f'{PREFIX}.{target}.layers.{i}'
        yield Part(f'{theirs}.0', _layer(widths[i]), (f'{ours}.norm',))
        # A transposed convolution has its inputs first, and a bias for each output.
        yield Part(f'{theirs}.2', {'weight': (widths[i], widths[i + 1], *kernel),
                                   'bias': (widths[i + 1],)}, (f'{ours}.conv',))


def _layer(*weight: int) -> Shapes:
    return {'weight': weight, 'bias': weight[:1]}


def _lstm() -> Shapes:
    gates = 4 * _HIDDEN
    return {'weight_ih_l0': (gates, _HIDDEN), 'weight_hh_l0': (gates, _HIDDEN),
            'bias_ih_l0': (gates,), 'bias_hh_l0': (gates,)}
