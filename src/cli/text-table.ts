/** A column of a table: its title, and the alignment of its cells. */
export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** Minimum width, for tables that are printed before all rows are known. */
  readonly width?: number;
}

/** A table that is printed row by row. Columns fit the rows known so far. */
export interface TextTable {
  readonly head: string;
  row(cells: readonly string[]): string;
}

/** @param known rows that set the widths of columns. */
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
