import torch
import torch.nn.functional as F
from torch import nn


class Convs(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 5, stride=2, padding=2)  # (5·5·1 + 1)·12 = 312
        self.bn1 = nn.BatchNorm2d(12)  # 2·12 = 24
        self.conv2 = nn.Conv2d(12, 16, 3, padding=1, groups=4, bias=False)  # 3·3·3·16 = 432
        self.bn2 = nn.BatchNorm2d(16, eps=0.0001, momentum=0.2)  # 2·16 = 32
        self.conv3 = nn.Conv2d(16, 16, 3, groups=16)  # (3·3·1 + 1)·16 = 160
        self.conv4 = nn.Conv2d(16, 24, 1, bias=False)  # 1·1·16·24 = 384
        self.conv5 = nn.Conv2d(24, 12, 3)  # (3·3·24 + 1)·12 = 2604
        self.fc1 = nn.Linear(12, 10)  # (12 + 1)·10 = 130
        # 4078 parameters

    def forward(self, x):  # [4, 1, 28, 28]
        x = self.conv1(x)  # [4, 12, 14, 14]
        x = F.leaky_relu(self.bn1(x), negative_slope=0.1)  # [4, 12, 14, 14]
        x = self.conv2(x)  # [4, 16, 14, 14]
        x = F.gelu(self.bn2(x))  # [4, 16, 14, 14]
        x = F.avg_pool2d(x, 3, stride=2, padding=1)  # [4, 16, 7, 7]
        x = self.conv3(x)  # [4, 16, 5, 5]
        x = F.relu(self.conv4(x))  # [4, 24, 5, 5]
        x = self.conv5(x)  # [4, 12, 3, 3]
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)  # [4, 12]
        x = self.fc1(x)  # [4, 10]
        return x
