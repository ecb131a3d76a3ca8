import torch
import torch.nn.functional as F
from torch import nn


class Many(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 1)  # (1·1·1 + 1)·12 = 24
        self.conv2 = nn.Conv2d(12, 132, 3)  # (3·3·12 + 1)·132 = 14388
        self.conv3 = nn.Conv2d(132, 4, 2)  # (2·2·132 + 1)·4 = 2116
        self.fc1 = nn.Linear(36, 10)  # (36 + 1)·10 = 370
        # 16898 parameters

    def forward(self, x):  # [40, 1, 28, 28]
        x = F.avg_pool2d(x, 2)  # [40, 1, 14, 14]
        x = self.conv1(x)  # [40, 12, 14, 14]
        x = F.relu(self.conv2(x))  # [40, 132, 12, 12]
        x = F.max_pool2d(x, 3)  # [40, 132, 4, 4]
        x = self.conv3(x)  # [40, 4, 3, 3]
        x = torch.flatten(x, 1)  # [40, 36]
        x = self.fc1(x)  # [40, 10]
        return x
