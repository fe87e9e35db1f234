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
  private let best: AlignedBuffer<Float>

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
    best = AlignedBuffer(count: inputShape[2])
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
        y.update(repeating: -.infinity, count: channels)
        forEachPlace(start) { source in
          for channel in 0..<channels {
            let value = input[source &* channels &+ channel]
            if value > y[channel] || value.isNaN { y[channel] = value }
          }
        }
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
      case .maximum: passToLargest(input, g, inputGradient, start)
      }
    }
  }

  /// The gradient of one window goes to its largest numbers: found first, then looked for.
  private func passToLargest(
    _ input: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ inputGradient: UnsafeMutablePointer<Float>,
    _ start: WindowStart
  ) {
    let (channels, largest) = (windows.inputs, best.pointer)
    largest.update(repeating: -.infinity, count: channels)
    forEachPlace(start) { source in
      for channel in 0..<channels where input[source &* channels &+ channel] > largest[channel] {
        largest[channel] = input[source &* channels &+ channel]
      }
    }
    forEachPlace(start) { source in
      for channel in 0..<channels where input[source &* channels &+ channel] == largest[channel] {
        inputGradient[source &* channels &+ channel] += g[channel]
        // Nothing equals NaN: the others of the window get nothing.
        largest[channel] = .nan
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

  /// The input's places in a window, by their number in the batch.
  private func forEachPlace(_ start: WindowStart, _ body: (_ place: Int) -> Void) {
    for row in max(start.row, 0)..<min(start.row &+ windows.kernel, windows.height) {
      for column in max(start.column, 0)..<min(start.column &+ windows.kernel, windows.width) {
        body(start.sample &+ row &* windows.width &+ column)
      }
    }
  }
}
