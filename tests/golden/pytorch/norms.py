import torch
import torch.nn.functional as F
from torch import nn


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 7, 4, stride=3, bias=False)  # 4·4·1·7 = 112
        self.ln1 = nn.LayerNorm([7, 9, 9])  # 2·7·9·9 = 1134
        self.dropout1 = nn.Dropout(0.3)
        self.fc1 = nn.Linear(175, 33, bias=False)  # 175·33 = 5775
        self.ln2 = nn.LayerNorm([33], eps=0.0001)  # 2·33 = 66
        self.dropout2 = nn.Dropout(0.5)
        self.fc2 = nn.Linear(33, 10)  # (33 + 1)·10 = 340
        # 7427 parameters

    def forward(self, x):  # [4, 1, 28, 28]
        x = self.conv1(x)  # [4, 7, 9, 9]
        x = F.gelu(self.ln1(x))  # [4, 7, 9, 9]
        x = F.max_pool2d(x, 3, stride=2, padding=1)  # [4, 7, 5, 5]
        x = self.dropout1(x)  # [4, 7, 5, 5]
        x = torch.flatten(x, 1)  # [4, 175]
        x = self.fc1(x)  # [4, 33]
        x = F.leaky_relu(self.ln2(x))  # [4, 33]
        x = self.dropout2(x)  # [4, 33]
        x = self.fc2(x)  # [4, 10]
        return x
