"""KINS-Video-Car, the data of SaVos on KITTI: given tracks of cars, amodal masks in few frames."""
