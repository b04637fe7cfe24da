"""One thread for torch and OpenCV: tests run beside other jobs, and their numbers must repeat."""

import cv2
import torch

torch.set_num_threads(1)
cv2.setNumThreads(1)
