"""Run one exported agent without BenchMARL, where there is only torch, or only onnxruntime.

python run_exported.py DIR/<group>/<agent>.pt2, or .onnx
"""

import json
import math
import sys
from pathlib import Path

file = Path(sys.argv[1])
about = json.loads(file.with_suffix(".json").read_text())
size = sum(math.prod(part["shape"]) for part in about["observation"])
batch = json.loads(sys.argv[2]) if len(sys.argv) > 2 else [[0.0] * size]  # [batch, size]

if file.suffix == ".onnx":
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(file)
    output, action = session.run(None, {"observation": np.array(batch, dtype=np.float32)})
else:
    import torch

    output, action = torch.export.load(file).module()(torch.tensor(batch))

print(json.dumps({"agent": about["agent"], "action": action.tolist()}))
