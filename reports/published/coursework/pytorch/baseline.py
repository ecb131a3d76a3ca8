import torch
import torch.nn.functional as F
from torch import nn


class Baseline(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)  # (3·3·1 + 1)·32 = 320
        self.bn1 = nn.BatchNorm2d(32)  # 2·32 = 64
        self.conv2 = nn.Conv2d(32, 64, 3)  # (3·3·32 + 1)·64 = 18496
        self.bn2 = nn.BatchNorm2d(64)  # 2·64 = 128
        self.dropout1 = nn.Dropout(0.25)
        self.fc1 = nn.Linear(9216, 128)  # (9216 + 1)·128 = 1179776
        self.dropout2 = nn.Dropout(0.5)
        self.fc2 = nn.Linear(128, 10)  # (128 + 1)·10 = 1290
        # 1200074 parameters

    def forward(self, x):  # [128, 1, 28, 28]
        x = self.conv1(x)  # [128, 32, 26, 26]
        x = F.relu(self.bn1(x))  # [128, 32, 26, 26]
        x = self.conv2(x)  # [128, 64, 24, 24]
        x = F.relu(self.bn2(x))  # [128, 64, 24, 24]
        x = F.max_pool2d(x, 2)  # [128, 64, 12, 12]
        x = self.dropout1(x)  # [128, 64, 12, 12]
        x = torch.flatten(x, 1)  # [128, 9216]
        x = F.relu(self.fc1(x))  # [128, 128]
        x = self.dropout2(x)  # [128, 128]
        x = self.fc2(x)  # [128, 10]
        return x
