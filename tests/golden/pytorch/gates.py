import torch
import torch.nn.functional as F
from torch import nn


class Gates(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, stride=2)  # (5·5·1 + 1)·6 = 156
        self.fc1 = nn.Linear(864, 21)  # (864 + 1)·21 = 18165
        self.bn1 = nn.BatchNorm1d(21)  # 2·21 = 42
        self.fc2 = nn.Linear(21, 19, bias=False)  # 21·19 = 399
        self.bn2 = nn.BatchNorm1d(19, eps=0.0001, momentum=0.2)  # 2·19 = 38
        self.fc3 = nn.Linear(19, 10)  # (19 + 1)·10 = 200
        # 19000 parameters

    def forward(self, x):  # [4, 1, 28, 28]
        x = torch.tanh(self.conv1(x))  # [4, 6, 12, 12]
        x = torch.flatten(x, 1)  # [4, 864]
        x = self.fc1(x)  # [4, 21]
        x = F.relu(self.bn1(x))  # [4, 21]
        x = self.fc2(x)  # [4, 19]
        x = torch.sigmoid(self.bn2(x))  # [4, 19]
        x = self.fc3(x)  # [4, 10]
        return x
