/**
 * Changes the scale of every block of a TQ1_0, TQ2_0 or Q2_0 file, in place and by less than a hundredth.
 * Then no two neighbours agree. Files of `bitnet dummy` have one scale, so their rows would run like I2_S.
 *
 *   bitnet dummy --size 2B4T --type q2_0 -o groups.gguf && node bench/vary-scales.mjs groups.gguf
 */
import { open } from "node:fs/promises";
import { openModelFile } from "#dist/files/index.js";
import { openFileSource } from "#dist/platform/node.js";

/** Bytes of a block, and where its scale, a half, is. */
const blocks = { TQ1_0: [54, 52], TQ2_0: [66, 64], Q2_0: [18, 0] };

const path = process.argv[2];
if (path === undefined) throw new Error("which file?");
const source = await openFileSource(path);
const { tensors } = await openModelFile(source);
const file = await open(path, "r+");
let changed = 0;
for (const { type, offset, bytes } of tensors.values()) {
  if (!(type in blocks)) continue;
  const [blockBytes, scaleAt] = blocks[type];
  const data = Buffer.alloc(bytes);
  await file.read(data, 0, bytes, offset);
  for (let at = scaleAt, block = 0; at < bytes; at += blockBytes, block += 1)
    data.writeUInt16LE(data.readUInt16LE(at) + (block % 9), at);
  await file.write(data, 0, bytes, offset);
  changed += 1;
}
await file.close();
await source.close();
console.log(`${changed} tensors have scales of all kinds`);
