// The two files of the comparison: the same weights as I2_S for us and as TQ2_0 for llama.cpp, which refuses
// I2_S.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openGguf } from "../../dist/files/gguf.js";
import { writableMetadata, writeGguf } from "../../dist/files/gguf-writer.js";
import { createFileSink } from "../../dist/platform/node-file-sink.js";
import { openFileSource } from "../../dist/platform/node-file-source.js";
import { writeDummyModel } from "../../dist/tools/dummy/dummy.js";
import { numberToFloat16 } from "../../dist/weight-formats/float16.js";

const TQ2_0 = 35;

/** A byte's four two-bit fields in reverse: the one difference between the codes of I2_S and TQ2_0. */
const reversed = Uint8Array.from(
  { length: 256 },
  (_, byte) => ((byte & 3) << 6) | ((byte & 12) << 2) | ((byte >> 2) & 12) | (byte >> 6),
);

/** Writes what is missing. */
export async function makeModels(folder, size, { rival: withRival }) {
  const ours = join(folder, `${size}-i2_s.gguf`);
  if (!existsSync(ours)) {
    console.error(`writing ${ours}`);
    await writeDummyModel({ size, path: ours, seed: 1 });
  }
  if (!withRival) return { ours };
  const rival = join(folder, `${size}-tq2_0.gguf`);
  if (!existsSync(rival)) {
    console.error(`writing ${rival}`);
    await writeTq2(ours, rival);
  }
  return { ours, rival, rivalBytesPerToken: await tensorBytes(rival) };
}

/** All of them are read for a token: the embedding is tied, and so the output head. */
async function tensorBytes(path) {
  const source = await openFileSource(path);
  const { tensors } = await openGguf(source);
  await source.close();
  return [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);
}

async function writeTq2(from, to) {
  const source = await openFileSource(from);
  const file = await openGguf(source);
  const own = file.metadata.get("general.architecture");
  const metadata = new Map();
  for (const [key, entry] of writableMetadata(file)) {
    // llama.cpp knows this graph as "bitnet"; it puts SiLU where 2B4T has a squared relu, which costs it no
    // more.
    if (key === "general.architecture") metadata.set(key, { ...entry, value: "bitnet" });
    else metadata.set(key.startsWith(`${own}.`) ? `bitnet${key.slice(own.length)}` : key, entry);
  }
  const tensors = [...file.tensors.values()].map((tensor) =>
    tensor.type === "I2_S"
      ? {
          name: tensor.name,
          shape: tensor.shape,
          typeId: TQ2_0,
          bytes: (tensor.shape[0] * tensor.shape[1] * 66) / 256,
        }
      : tensor,
  );
  await writeGguf(await createFileSink(to), { metadata, tensors }, async (write) => {
    for (const plan of tensors) {
      const tensor = file.tensors.get(plan.name);
      if (plan.typeId !== TQ2_0) {
        for (let at = 0; at < tensor.bytes; at += 1 << 24) {
          await write(plan.name, await source.read(tensor.offset + at, Math.min(1 << 24, tensor.bytes - at)));
        }
        continue;
      }
      const i2s = await source.read(tensor.offset, tensor.bytes);
      const codeBytes = tensor.bytes - 32;
      const scale = numberToFloat16(new DataView(i2s.buffer, i2s.byteOffset + codeBytes).getFloat32(0, true));
      const blocks = new Uint8Array(plan.bytes);
      for (let block = 0, at = 0; block < codeBytes; block += 64, at += 66) {
        for (let i = 0; i < 64; i += 1) blocks[at + i] = reversed[i2s[block + i]];
        blocks[at + 64] = scale & 255;
        blocks[at + 65] = scale >> 8;
      }
      await write(plan.name, blocks);
    }
  });
  await source.close();
}
