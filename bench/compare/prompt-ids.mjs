/** Token ids that both sides evaluate: inside any vocabulary here, and the same every time. */
export function promptIds(count) {
  return Array.from({ length: count }, (_, i) => 100 + ((i * 97) % 1900));
}
