"""Which system, dataset and variant a config is: its name says."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Name in the VATrack paper by the first two fields of a config's name; QD is the association of
#: QDTrack, MT that of MaskTrack R-CNN.
SYSTEMS = {
    'maskamodal_none': 'MaskAmodal',
    'maskjoint_none': 'MaskJoint',
    'masktrack-rcnn_mt': 'MaskTrack R-CNN',
    'qdtrack_qd': 'QDTrack',
    'amodaltrack_mt': 'AmodalTrack (MT)',
    'amodaltrack_qd': 'AmodalTrack (QD)',
    'vatrack_mt': 'VATrack (MT)',
    'vatrack_qd': 'VATrack (QD)',
    'vatrack-2box_qd': 'VATrack (QD), two boxes',
}
#: Name for tables by the third field of a config's name.
DATASETS = {
    'sailvos-cut': 'SAIL-VOS-cut',
    'sailvos': 'SAIL-VOS (uncut)',
    'fishbowl': 'FISHBOWL',
    'synthetic': 'synthetic videos',
}


@dataclass(frozen=True)
class ConfigName:
    """What the name of a config says.

    Attributes:
        config: Path below ``configs/`` without suffix, such as
            ``vatrack/qd_sailvos-cut_lambda-0.5-1.5``.
        system: Key of :data:`SYSTEMS`; the stem of a config that is none of them.
        name: Name for tables.
        dataset: ``'sailvos-cut'``; None for a config that is none of the systems and whose
            name has no key of :data:`DATASETS`.
        variant: What follows the dataset, ``'lambda-0.5-1.5'``; None: the system itself.
    """

    config: str
    system: str
    name: str
    dataset: str | None = None
    variant: str | None = None


def name_config(path: str | Path) -> ConfigName:
    """Take the name of a config apart.

    The grammar is ``{method}_{association}_{dataset}[_{variant}].py``, where the
    method of an ablation is the name of its folder.
    """
    path = Path(path)
    config = _below_configs(path)
    for stem in (path.stem, f'{path.parent.name}_{path.stem}'):
        system = '_'.join(stem.split('_')[:2])
        dataset, _, variant = stem.removeprefix(f'{system}_').partition('_')
        if system in SYSTEMS and stem != system:
            name = f'{SYSTEMS[system]}, {variant}' if variant else SYSTEMS[system]
            return ConfigName(config, system, name, dataset, variant or None)
    dataset = next((field for field in path.stem.split('_') if field in DATASETS), None)
    return ConfigName(config, path.stem, path.stem, dataset)


def _below_configs(path: Path) -> str:
    parts = path.with_suffix('').parts
    if 'configs' not in parts:
        return path.stem
    return '/'.join(parts[len(parts) - parts[::-1].index('configs'):])
