"""numpy: linear algebra, transforms, random numbers, files."""
import numpy as np

generator = np.random.default_rng(7)
square = generator.normal(size=(300, 300))
assert np.allclose(square @ np.linalg.inv(square), np.eye(300), atol=1e-6)
assert np.linalg.svd(square)[1].shape == (300,)
assert np.allclose(np.linalg.solve(square, square @ np.ones(300)), 1)
assert np.allclose(np.fft.ifft(np.fft.fft(square[0])).real, square[0])
np.random.seed(1)
assert np.random.rand(3).shape == (3,)
np.save("array.npy", square)
assert np.array_equal(np.load("array.npy"), square)
assert np.array_equal(np.load("array.npy", mmap_mode="r+"), square)
np.savez_compressed("arrays.npz", a=square, b=square[0])
assert np.array_equal(np.load("arrays.npz")["b"], square[0])
mapped = np.memmap("mapped", dtype="float64", mode="w+", shape=(1000, 1000))
mapped[:] = 3
mapped.flush()
del mapped
assert np.memmap("mapped", dtype="float64", mode="r", shape=(1000, 1000)).sum() == 3e6
square.tofile("raw")
assert np.fromfile("raw").size == 90000
np.savetxt("text", square[:3])
assert np.allclose(np.loadtxt("text"), square[:3])
assert np.zeros(40_000_000).sum() == 0  # large enough for huge pages
