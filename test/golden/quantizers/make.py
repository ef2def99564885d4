"""Prints hashes of what llama.cpp's dequantizers make of the random blocks of test/conformance/quantizer-inputs.ts.

For formats that are only read. Usage: python3 make.py path/to/libggml-base.so (npm package @node-llama-cpp/linux-x64 3.22.1).
"""

import ctypes
import hashlib
import json
import sys

BLOCKS = 2048
# name: block bytes, elements of a block, offsets of its halves (−1: the first byte is a power of two)
FORMATS = {
    "Q4_1": (20, 32, [0, 2]),
    "Q5_1": (24, 32, [0, 2]),
    "Q2_K": (84, 256, [80, 82]),
    "Q3_K": (110, 256, [108]),
    "Q5_K": (176, 256, [0, 2]),
    "IQ4_NL": (18, 32, [0]),
    "IQ4_XS": (136, 256, [0]),
    "MXFP4": (17, 32, [-1]),
}


def block_inputs(block_bytes: int, scales: list[int]) -> bytes:
    state = 3
    out = bytearray(BLOCKS * block_bytes)
    for index in range(len(out)):
        state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        byte = state >> 56
        # Keeps halves finite.
        out[index] = byte & 0xBB if (index % block_bytes) - 1 in scales else byte
    return bytes(out)


library = ctypes.CDLL(sys.argv[1])
result = {}
for name, (block_bytes, elements, scales) in FORMATS.items():
    blocks = block_inputs(block_bytes, scales)
    count = BLOCKS * elements
    values = (ctypes.c_float * count)()
    dequantize = getattr(library, "dequantize_row_" + {"MXFP4": "mxfp4"}.get(name, name.replace("Q", "q", 1) if name[0] == "Q" else name.lower()))
    dequantize(blocks, values, ctypes.c_int64(count))
    # Adding 0 leaves one zero of two.
    for index in range(count):
        values[index] = values[index] + 0.0
    result[name] = {
        "blocks": hashlib.sha256(blocks).hexdigest(),
        "decoded": hashlib.sha256(bytes(values)).hexdigest(),
    }
print(json.dumps(result, indent=2))
