import CVector

/// What comes next, asked for line by line while something else is computed, so that memory and arithmetic work at the same
/// time. The processor's own fetching ahead begins only once an array is being read, and stops at the end of a page.
struct ReadAhead {
  /// More than this would drive what is being computed out of the second-level cache.
  private static let mostLines = 320 * 1_024 / 64
  private static let floatsPerLine = 16

  private struct Part {
    var start: UnsafeRawPointer
    var lines: Int
  }

  private var parts = InlineArray<7, Part?>(repeating: nil)
  private var count = 0
  private var total = 0
  /// Lines, two by two.
  private var pairsPerTurn = 0
  /// The next part, and the rest of the current one.
  private var next = 0
  private var address = UnsafeRawPointer(bitPattern: 64)!
  private var end = UnsafeRawPointer(bitPattern: 64)!

  /// What a convolution's forward pass reads and writes, in so many turns.
  init(
    _ places: ConvolutionPlaces, of shape: ConvolutionShape, source: NormalizedValues,
    output: UnsafeMutablePointer<Float>, turns: Int
  ) {
    add(source.values, places.inputs, channels: shape.inputs)
    add(output, places.outputs, channels: shape.outputs)
    spread(over: turns)
  }

  /// What its backward pass reads and writes.
  init(
    _ places: ConvolutionPlaces, of shape: ConvolutionShape, source: NormalizedValues, gradient: ConvolutionGradient,
    inputGradient: UnsafeMutablePointer<Float>?, finish: GradientFinish, turns: Int
  ) {
    add(source.values, places.inputs, channels: shape.inputs)
    add(gradient.values, places.outputs, channels: shape.outputs)
    add(gradient.normalization?.output, places.outputs, channels: shape.outputs)
    if let inputGradient {
      let others = finish.otherStride == 1 ? places.inputs : places.outputs
      add(finish, places.inputs, others: others, channels: shape.inputs)
      add(inputGradient, places.inputs, channels: shape.inputs)
    }
    spread(over: turns)
  }

  /// Adds places of an array `[places, channels]`, unless the array has been added.
  private mutating func add(_ array: UnsafePointer<Float>?, _ places: Range<Int>, channels: Int) {
    guard let array, !places.isEmpty else { return }
    let start = UnsafeRawPointer(array + places.lowerBound * channels)
    for index in 0..<count where parts[index]?.start == start { return }
    let lines = (places.count * channels + Self.floatsPerLine - 1) / Self.floatsPerLine
    parts[count] = Part(start: start, lines: lines)
    count += 1
    total += lines
  }

  /// Adds what the end of a gradient's way reads.
  ///
  /// - Parameter others: places of the other gradient.
  private mutating func add(_ finish: GradientFinish, _ places: Range<Int>, others: Range<Int>, channels: Int) {
    add(finish.other, others, channels: channels)
    add(finish.sums?.factor, places, channels: channels)
    switch finish.mask {
    case .none: break
    case .rectified(let values), .normalized(let values, _, _): add(values, places, channels: channels)
    }
  }

  /// Cuts all into so many turns; none where nothing is computed meanwhile.
  private mutating func spread(over turns: Int) {
    guard turns > 0, total <= Self.mostLines else { return }
    pairsPerTurn = (total + 2 * turns - 1) / (2 * turns)
    takeNextPart()
  }

  /// Asks for the lines of a turn, and a few beyond at the end of an array.
  @inline(__always)
  mutating func advance() {
    var line = address
    guard line < end else { return }
    var pairs = pairsPerTurn
    repeat {
      kiti_fetch(line)
      kiti_fetch(line + 64)
      line += 128
      pairs &-= 1
    } while pairs > 0
    address = line
    if line >= end { takeNextPart() }
  }

  @inline(never)
  private mutating func takeNextPart() {
    guard next < count, let part = parts[next] else { return }
    (address, end) = (part.start, part.start + 64 * part.lines)
    next += 1
  }
}

/// Places of a convolution's input and of its output that belong together, counted through all samples.
struct ConvolutionPlaces {
  let inputs: Range<Int>
  let outputs: Range<Int>
}
