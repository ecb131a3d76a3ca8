import torch
import torch.nn.functional as F
from torch import nn


class Rectangles(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, (3, 5), stride=(2, 1), padding=(1, 4), dilation=(1, 2))  # (3·5·1 + 1)·3 = 48
        self.conv2 = nn.Conv2d(3, 5, (4, 2), padding='same')  # (4·2·3 + 1)·5 = 125
        self.conv3 = nn.Conv2d(5, 4, 3, padding=3, dilation=3)  # (3·3·5 + 1)·4 = 184
        self.conv4 = nn.Conv2d(4, 4, (2, 3), dilation=(3, 2), groups=4)  # (2·3·1 + 1)·4 = 28
        self.fc1 = nn.Linear(4, 10)  # (4 + 1)·10 = 50
        # 435 parameters

    def forward(self, x):  # [4, 1, 28, 28]
        x = F.relu(self.conv1(x))  # [4, 3, 14, 28]
        x = F.relu(self.conv2(x))  # [4, 5, 14, 28]
        x = self.conv3(x)  # [4, 4, 14, 28]
        x = self.conv4(x)  # [4, 4, 11, 24]
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)  # [4, 4]
        x = self.fc1(x)  # [4, 10]
        return x
