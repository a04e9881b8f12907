"""Generates images with an exported generator, onnxruntime and NumPy.

keras-sagan export model.keras --out=generator.onnx
python examples/run_onnx.py generator.onnx images.npy
"""

import sys

import numpy as np
import onnxruntime

if len(sys.argv) != 3:
    sys.exit("usage: run_onnx.py generator.onnx images.npy")
path, out = sys.argv[1:]
session = onnxruntime.InferenceSession(path)
about = session.get_modelmeta().custom_metadata_map
rng = np.random.default_rng(seed=0)
latents = rng.standard_normal((8, int(about["latent_dim"])), dtype="float32")
inputs = {"latents": latents}
if about["num_classes"] != "null":
    inputs["labels"] = np.arange(8) % int(about["num_classes"])  # int64
(images,) = session.run(["images"], inputs)  # (8, height, width, 3), [-1, 1]
images = np.rint((images + 1) * 127.5).astype("uint8")
np.save(out, images)
print(f"Wrote {out}: {images.dtype} {images.shape}")
