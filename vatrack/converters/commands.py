"""All formats that ``tools/convert.py`` reads."""
from __future__ import annotations

from .coco.convert import COCO_VIDEO, KINS
from .command import Command
from .fishbowl import FISHBOWL
from .kins_video_car.convert import KINS_VIDEO_CAR
from .labelling.cvat.convert import CVAT
from .labelling.labelme.convert import LABELME
from .labelling.png_masks import PNG_MASKS
from .mots import MOTS_PNG, MOTS_TXT
from .sailvos.command import SAILVOS, SAILVOS_CUT
from .ytvis import YTVIS

#: The sub-commands, in the order in which the help lists them.
COMMANDS: tuple[Command, ...] = (SAILVOS, SAILVOS_CUT, FISHBOWL, YTVIS, COCO_VIDEO, KINS,
                                 KINS_VIDEO_CAR, MOTS_PNG, MOTS_TXT, PNG_MASKS, LABELME, CVAT)
