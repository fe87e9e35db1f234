/// A table as plain text.
enum Table {
  /// One line for the header and for each row, every column as wide as its longest cell.
  ///
  /// - Parameter left: columns whose cells begin at the left; those of the others end at the right.
  static func text(header: [String], rows: [[String]], left: Set<Int> = [0]) -> String {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      row.indices.map { column in
        let fill = String(repeating: " ", count: widths[column] - row[column].count)
        guard left.contains(column) else { return fill + row[column] }
        return column == row.count - 1 ? row[column] : row[column] + fill
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}
