"""Result files of other projects, read and written: YouTube-VIS, COCO, MOTChallenge, MOTS."""
