import torch
import torch.nn.functional as F
from torch import nn


class Sums(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, stride=2)  # (5·5·1 + 1)·6 = 156
        self.bn1 = nn.BatchNorm2d(6)  # 2·6 = 12
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)  # (3·3·6 + 1)·6 = 330
        self.dropout1 = nn.Dropout(0.3)
        self.conv3 = nn.Conv2d(6, 6, 1, bias=False)  # 1·1·6·6 = 36
        self.bn2 = nn.BatchNorm2d(6)  # 2·6 = 12
        self.fc1 = nn.Linear(96, 9)  # (96 + 1)·9 = 873
        self.fc2 = nn.Linear(9, 96)  # (9 + 1)·96 = 960
        self.fc3 = nn.Linear(96, 10)  # (96 + 1)·10 = 970
        # 3349 parameters

    def forward(self, x):  # [4, 1, 28, 28]
        x = self.conv1(x)  # [4, 6, 12, 12]
        branch = F.relu(self.bn1(x))  # [4, 6, 12, 12]
        branch = self.conv2(branch)  # [4, 6, 12, 12]
        branch = self.dropout1(branch)  # [4, 6, 12, 12]
        x = F.relu(x + branch)  # [4, 6, 12, 12]
        branch = self.conv3(x)  # [4, 6, 12, 12]
        branch = self.bn2(branch)  # [4, 6, 12, 12]
        x = F.relu(x + branch)  # [4, 6, 12, 12]
        x = F.max_pool2d(x, 3)  # [4, 6, 4, 4]
        x = torch.flatten(x, 1)  # [4, 96]
        branch = torch.tanh(self.fc1(x))  # [4, 9]
        branch = self.fc2(branch)  # [4, 96]
        x = x + branch  # [4, 96]
        x = self.fc3(x)  # [4, 10]
        return x
