/** SentencePiece spells a space by this mark. */
export const spaceMark = "▁";

/**
 * GPT-2's letters for the bytes 0…255: a byte that prints is itself. The others are letters from U+0100 on.
 */
export function lettersOfBytes(): readonly string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(prints ? byte : (next += 1) - 1);
  });
}
