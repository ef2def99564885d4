/** A column of a table: what stands over it, and on which side its cells line up. */
export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** At least this wide; for tables whose rows are not all known when the first is printed. */
  readonly width?: number;
}

/** A table that is printed row by row, its columns wide enough for the rows known so far. */
export interface TextTable {
  readonly head: string;
  row(cells: readonly string[]): string;
}

/** @param known rows whose cells decide how wide the columns are. */
export function createTextTable(
  columns: readonly Column[],
  known: readonly (readonly string[])[],
): TextTable {
  const widths = columns.map(({ title, width = 0 }, index) =>
    known.reduce((most, cells) => Math.max(most, cells[index]?.length ?? 0), Math.max(title.length, width)),
  );
  function row(cells: readonly string[]): string {
    const padded = cells.map((cell, index) => {
      const width = widths[index] ?? 0;
      return columns[index]?.align === "right" ? cell.padStart(width) : cell.padEnd(width);
    });
    return padded.join("  ").trimEnd();
  }
  return { head: row(columns.map(({ title }) => title)), row };
}
