"""SAIL-VOS and SAIL-VOS-cut (Hu et al., 2019; Breitenstein et al.)."""
