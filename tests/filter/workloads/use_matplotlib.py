"""matplotlib: every format that it writes without a display."""
import os

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

figure, axes = plt.subplots(2, 2)
axes[0, 0].plot(np.sin(np.linspace(0, 6, 100)), label="$\\sin x$")
axes[0, 0].legend()
axes[0, 1].hist(np.random.default_rng(1).normal(size=1000), bins=30)
axes[1, 0].imshow(np.arange(100).reshape(10, 10))
axes[1, 1].contourf(np.arange(100).reshape(10, 10))
for kind in ("png", "svg", "pdf", "ps", "jpg", "webp"):
    figure.savefig(f"figure.{kind}")
    assert os.path.getsize(f"figure.{kind}") > 1000, kind
assert plt.imread("figure.png").ndim == 3
