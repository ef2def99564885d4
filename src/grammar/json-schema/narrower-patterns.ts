/**
 * Patterns with look-arounds that libraries write for a format, and patterns without them. Each string of the
 * second kind matches the first. Tests draw strings and compare.
 */
export const narrowerPatterns: ReadonlyMap<string, string> = new Map([
  // zod 4: z.iso.duration()
  [
    "^P(?:(\\d+W)|(?!.*W)(?=\\d|T\\d)(\\d+Y)?(\\d+M)?(\\d+D)?(T(?=\\d)(\\d+H)?(\\d+M)?(\\d+([.,]\\d+)?S)?)?)$",
    "^P(\\d{1,4}W|\\d{1,4}D(T\\d{1,4}[HMS])?|T\\d{1,4}[HMS])$",
  ],
  // zod 4: z.hostname()
  [
    "^(?=.{1,253}\\.?$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[-0-9a-zA-Z]{0,61}[0-9a-zA-Z])?)*\\.?$",
    "^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?){0,4}$",
  ],
  // zod 4: z.emoji()
  [
    "^(?=[\\s\\S]*[\\p{Extended_Pictographic}\\p{Regional_Indicator}\\u20E3])[\\p{Extended_Pictographic}\\p{Emoji_Component}]+$",
    "^[😀-🙏]{1,8}$",
  ],
  // pydantic 2: Decimal
  ["^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$", "^-?\\d{1,15}(\\.\\d{1,15})?$"],
]);
