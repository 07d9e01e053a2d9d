"""Run one exported agent without BenchMARL, with only torch (pt2) or only onnxruntime (onnx).

Usage: python examples/run_exported.py DIR/<group>/<agent>.pt2 [OBSERVATIONS]

OBSERVATIONS is a JSON list of rows, [batch, features], for example "[[0.1, 0.2]]". Without it, the
agent acts on one row of zeros.
"""

import json
import math
import sys
from pathlib import Path

file = Path(sys.argv[1])
about = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
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
