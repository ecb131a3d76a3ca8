import torch
import torch.nn.functional as F
from torch import nn


class SlimBn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3)  # (3·3·1 + 1)·64 = 640
        self.bn1 = nn.BatchNorm2d(64)  # 2·64 = 128
        self.conv2 = nn.Conv2d(64, 128, 3)  # (3·3·64 + 1)·128 = 73856
        self.bn2 = nn.BatchNorm2d(128)  # 2·128 = 256
        self.dropout1 = nn.Dropout(0.25)
        self.fc1 = nn.Linear(2048, 128)  # (2048 + 1)·128 = 262272
        self.dropout2 = nn.Dropout(0.5)
        self.fc2 = nn.Linear(128, 10)  # (128 + 1)·10 = 1290
        # 338442 parameters

    def forward(self, x):  # [4, 1, 28, 28]
        x = self.conv1(x)  # [4, 64, 26, 26]
        x = F.relu(self.bn1(x))  # [4, 64, 26, 26]
        x = self.conv2(x)  # [4, 128, 24, 24]
        x = F.relu(self.bn2(x))  # [4, 128, 24, 24]
        x = F.max_pool2d(x, 6)  # [4, 128, 4, 4]
        x = self.dropout1(x)  # [4, 128, 4, 4]
        x = torch.flatten(x, 1)  # [4, 2048]
        x = F.relu(self.fc1(x))  # [4, 128]
        x = self.dropout2(x)  # [4, 128]
        x = self.fc2(x)  # [4, 10]
        return x
