import torch
import torch.nn.functional as F
from torch import nn


class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 2, 1)  # (1·1·1 + 1)·2 = 4
        self.conv2 = nn.Conv2d(2, 72, 5, padding=2)  # (5·5·2 + 1)·72 = 3672
        self.fc1 = nn.Linear(72, 10)  # (72 + 1)·10 = 730
        # 4406 parameters

    def forward(self, x):  # [4, 1, 28, 28]
        x = self.conv1(x)  # [4, 2, 28, 28]
        x = F.relu(self.conv2(x))  # [4, 72, 28, 28]
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)  # [4, 72]
        x = self.fc1(x)  # [4, 10]
        return x
