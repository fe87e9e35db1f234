/// The mean or the largest number of square windows of each channel.
///
/// Input `[height, width, channels]`, output `[(height + 2·padding − kernel) / stride + 1, …, channels]`, rounded down.
/// Padding counts as zeros in a mean and is never the largest. Where several numbers of a window are the largest, the
/// first has the gradient.
public final class Pooling2D: Layer {
  public enum Kind: String, Sendable, CaseIterable {
    case average
    case maximum
  }

  public let kind: Kind
  public let inputShape: [Int]
  public let outputShape: [Int]
  private let windows: ConvolutionShape

  /// - Parameters:
  ///   - inputShape: `[height, width, channels]`.
  ///   - stride: nil for windows side by side.
  ///   - padding: at most half a kernel.
  public init(_ kind: Kind, inputShape: [Int], kernel: Int, stride: Int? = nil, padding: Int = 0) {
    precondition(2 * padding <= kernel, "a window must not lie in the padding alone")
    self.kind = kind
    self.inputShape = inputShape
    windows = ConvolutionShape(
      height: inputShape[0], width: inputShape[1], inputs: inputShape[2], outputs: inputShape[2], kernel: kernel,
      stride: stride ?? kernel, padding: padding)
    outputShape = [windows.outputHeight, windows.outputWidth, inputShape[2]]
  }

  public var parameters: [Parameter] { [] }
  public var operationsPerSample: Int { windows.outputSize * windows.kernel * windows.kernel }

  public func forward(
    _ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, samples: Range<Int>, pass: Pass
  ) {
    let channels = windows.inputs
    forEachWindow(samples) { place, start in
      let y = output + place &* channels
      switch kind {
      case .average:
        y.update(repeating: 0, count: channels)
        forEachPlace(start) { add(y, input + $0 &* channels, scale: 1, count: channels, into: y) }
        rescale(y, by: 1 / Float(windows.kernel * windows.kernel), count: channels)
      case .maximum:
        let (rows, columns) = inside(start)
        poolMaximum(
          input + self.place(start, rows, columns) &* channels, rows: rows.count, columns: columns.count,
          rowStride: windows.width, channels: channels, into: y)
      }
    }
  }

  public func backward(
    _ input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    into inputGradient: UnsafeMutablePointer<Float>?, samples: Range<Int>, pass: Pass
  ) {
    guard let inputGradient else { return }
    let channels = windows.inputs
    (inputGradient + samples.lowerBound * windows.inputSize).update(
      repeating: 0, count: samples.count * windows.inputSize)
    forEachWindow(samples) { place, start in
      let g = outputGradient + place &* channels
      switch kind {
      case .average:
        let share = 1 / Float(windows.kernel * windows.kernel)
        forEachPlace(start) { source in
          let target = inputGradient + source &* channels
          add(target, g, scale: share, count: channels, into: target)
        }
      case .maximum:
        let (rows, columns) = inside(start)
        let first = self.place(start, rows, columns) &* channels
        addMaximumGradient(
          g, input + first, rows: rows.count, columns: columns.count, rowStride: windows.width, channels: channels,
          to: inputGradient + first)
      }
    }
  }

  /// Where a window begins: the sample's first place in the batch, and row and column, which may be in the padding.
  private typealias WindowStart = (sample: Int, row: Int, column: Int)

  private func forEachWindow(_ samples: Range<Int>, _ body: (_ place: Int, _ start: WindowStart) -> Void) {
    let (height, columns) = (windows.outputHeight, windows.outputWidth)
    for sample in samples {
      for row in 0..<height {
        for column in 0..<columns {
          body(
            (sample &* height &+ row) &* columns &+ column,
            (
              sample &* windows.height &* windows.width, row &* windows.stride &- windows.padding,
              column &* windows.stride &- windows.padding
            ))
        }
      }
    }
  }

  /// The rows and columns of the input in a window.
  private func inside(_ start: WindowStart) -> (rows: Range<Int>, columns: Range<Int>) {
    (
      max(start.row, 0)..<min(start.row &+ windows.kernel, windows.height),
      max(start.column, 0)..<min(start.column &+ windows.kernel, windows.width)
    )
  }

  /// The number in the batch of the first place of these rows and columns.
  private func place(_ start: WindowStart, _ rows: Range<Int>, _ columns: Range<Int>) -> Int {
    start.sample &+ rows.lowerBound &* windows.width &+ columns.lowerBound
  }

  /// The input's places in a window, by their number in the batch.
  private func forEachPlace(_ start: WindowStart, _ body: (_ place: Int) -> Void) {
    let (rows, columns) = inside(start)
    for row in rows {
      for column in columns { body(start.sample &+ row &* windows.width &+ column) }
    }
  }
}
