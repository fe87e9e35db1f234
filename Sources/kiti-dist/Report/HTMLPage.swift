import Foundation
import KitiCore

/// An HTML page that needs nothing but itself.
struct HTMLPage {
  /// Any text.
  var title: String
  /// Any text, below the title.
  var subtitle: String
  /// Markup.
  var body: String

  var html: String {
    let title = Markup.escaped(title)
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/><title>\(title)</title>
      <style>
      \(ReportStyle.sheet)
      </style></head><body><main>
      <h1>\(title)</h1>
      <p class="soft">\(Markup.escaped(subtitle))</p>
      \(body)
      </main></body></html>

      """
  }

  /// Writes the whole file or leaves what is there.
  func write(to path: String) throws {
    try FileManager.default.makeParent(of: path)
    do { try Data(html.utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
      throw KitiError(
        .failed, "\(path) could not be written: \((error as NSError).localizedDescription)",
        remedy: "Check free space and permissions of its folder, or name another file with --output.")
    }
  }
}
