import Glibc

/// The lowest modes of the discrete Fourier transform along places, for all channels at once, and back.
///
/// Input and output are `[points, channels]`, channels contiguous. A spectrum is `[modes]` rows of `[2 · channels]`:
/// the real parts, then the imaginary parts, rows `modeStride` apart.
///
/// Both directions are matrix products with tables of cosines and sines. If `points` is a multiple of four, the
/// four places q, S/2 − q, S/2 + q, S − q are first folded into sums and differences, one for each of
/// (even, odd mode) × (cosine, sine): a quarter of the multiplications of the plain product, and far fewer than an FFT
/// whose upper modes are thrown away (Li et al. 2021, arXiv 2010.08895 §4 keeps 16 of 513).
public final class TruncatedFourier: @unchecked Sendable {
  public let points: Int
  public let modes: Int
  public let channels: Int

  /// The four classes of a folded transform; the unfolded one has only the first two, over all modes and points.
  private enum Part: Int, CaseIterable { case evenCosine, evenSine, oddCosine, oddSine }

  private let folded: Bool
  /// Table rows: places 0 … points/4 if folded, else all places.
  private let depth: Int
  private let block: Int
  /// `[part][mode of that part, place]`, plain and with the weights of the real inverse transform.
  private let plainTables: [AlignedBuffer<Float>]
  private let weightedTables: [AlignedBuffer<Float>]
  private let scratch: AlignedBuffer<Float>

  /// - Precondition: 1 ≤ modes ≤ points / 2 + 1 and channels ≥ 1.
  public init(points: Int, modes: Int, channels: Int) {
    guard points >= 1, channels >= 1, modes >= 1, modes <= points / 2 + 1 else {
      fatalError("a truncated transform of \(points) points cannot keep \(modes) modes of \(channels) channels")
    }
    self.points = points
    self.modes = modes
    self.channels = channels
    folded = points % 4 == 0 && points >= 8 && modes >= 2
    depth = folded ? points / 4 + 1 : points
    block = folded ? max(4, 1_536 / channels) : depth
    scratch = AlignedBuffer(count: folded ? 4 * block * channels : 0)
    let (isFolded, rows) = (folded, depth)
    func tables(weighted: Bool) -> [AlignedBuffer<Float>] {
      Part.allCases.prefix(isFolded ? 4 : 2).map { part in
        let chosen = TruncatedFourier.modes(of: part, folded: isFolded, count: modes)
        let table = AlignedBuffer<Float>(count: max(1, chosen.count) * rows)
        for (row, mode) in chosen.enumerated() {
          let edge = mode == 0 || 2 * mode == points
          let weight = weighted ? (edge ? 1.0 : 2.0) / Double(points) : 1
          for place in 0..<rows {
            // Reduced by whole turns and reflected first, so that zeros and symmetric places come out exact.
            let value = unitCircle(mode * place % points, of: points)
            let isCosine = part == .evenCosine || part == .oddCosine
            table.pointer[row * rows + place] = Float(weight * (isCosine ? value.cosine : -value.sine))
          }
        }
        return table
      }
    }
    plainTables = tables(weighted: false)
    weightedTables = tables(weighted: true)
  }

  private static func modes(of part: Part, folded: Bool, count: Int) -> [Int] {
    guard folded else { return Array(0..<count) }
    let parity = part == .evenCosine || part == .evenSine ? 0 : 1
    return Array(stride(from: parity, to: count, by: 2))
  }

  /// spectrum = transform of x: X_k = Σ_s x_s · exp(−2πi·k·s/S), of which rows k < `modes` are kept.
  ///
  /// - Parameter weighted: also multiplies row k by the weight of the real inverse transform (1/S for k = 0 and k = S/2,
  ///   else 2/S): the adjoint of `synthesize(weighted: true)`.
  package func analyze(
    _ x: UnsafePointer<Float>, into spectrum: UnsafeMutablePointer<Float>, modeStride: Int, weighted: Bool
  ) {
    let tables = weighted ? weightedTables : plainTables
    guard folded else {
      for (part, table) in tables.enumerated() {
        multiply(
          modes, channels, points, Matrix(table.pointer, rowStride: depth), Matrix(x, rowStride: channels),
          into: spectrum + part * channels, rowStride: modeStride)
      }
      return
    }
    var first = 0
    while first < depth {
      let count = min(block, depth - first)
      fold(x, first: first, count: count)
      for part in Part.allCases {
        let (rows, target) = rowsOfPart(part, spectrum, modeStride)
        multiply(
          rows, channels, count, Matrix(tables[part.rawValue].pointer + first, rowStride: depth),
          Matrix(scratch.pointer + part.rawValue * block * channels, rowStride: channels),
          into: target, rowStride: 2 * modeStride, start: first == 0 ? .zero : .accumulate)
      }
      first += count
    }
  }

  /// y = Σ_k Re(Y_k · exp(2πi·k·s/S)), each mode weighted as the real inverse transform does if `weighted`.
  ///
  /// With `weighted: false` it is the adjoint of `analyze(weighted: false)`.
  ///
  /// - Parameter accumulate: adds to y instead of replacing it.
  package func synthesize(
    _ spectrum: UnsafePointer<Float>, modeStride: Int, into y: UnsafeMutablePointer<Float>, weighted: Bool,
    accumulate: Bool
  ) {
    let tables = weighted ? weightedTables : plainTables
    guard folded else {
      for (part, table) in tables.enumerated() {
        multiply(
          points, channels, modes, Matrix(table.pointer, rowStride: depth).transposed,
          Matrix(spectrum + part * channels, rowStride: modeStride), into: y, rowStride: channels,
          start: part > 0 || accumulate ? .accumulate : .zero)
      }
      return
    }
    var first = 0
    while first < depth {
      let count = min(block, depth - first)
      for part in Part.allCases {
        let (rows, source) = rowsOfPart(part, UnsafeMutablePointer(mutating: spectrum), modeStride)
        multiply(
          count, channels, rows, Matrix(tables[part.rawValue].pointer + first, rowStride: depth).transposed,
          Matrix(source, rowStride: 2 * modeStride),
          into: scratch.pointer + part.rawValue * block * channels, rowStride: channels)
      }
      unfold(into: y, first: first, count: count, accumulate: accumulate)
      first += count
    }
  }

  private func rowsOfPart(
    _ part: Part, _ spectrum: UnsafeMutablePointer<Float>, _ modeStride: Int
  ) -> (rows: Int, start: UnsafeMutablePointer<Float>) {
    switch part {
    case .evenCosine: ((modes + 1) / 2, spectrum)
    case .evenSine: ((modes + 1) / 2, spectrum + channels)
    case .oddCosine: (modes / 2, spectrum + modeStride)
    case .oddSine: (modes / 2, spectrum + modeStride + channels)
    }
  }

  private func fold(_ x: UnsafePointer<Float>, first: Int, count: Int) {
    let half = points / 2
    let size = block * channels
    for row in 0..<count {
      let q = first + row
      let target = scratch.pointer + row * channels
      let a = x + q * channels
      let b = x + (half - q) * channels
      let c = x + (half + q) * channels
      let d = x + (points - q) * channels
      // At the ends two of the four places fall together; the tables are zero where these sums are not wanted.
      let start = q == 0, end = 2 * q == half
      var channel = 0
      if start || end {
        for channel in 0..<channels {
          let one = a[channel]
          let other = c[channel]
          target[channel] = one + other
          target[size + channel] = 0
          target[2 * size + channel] = start ? one - other : 0
          target[3 * size + channel] = start ? 0 : one - other
        }
        continue
      }
      while channel &+ width <= channels {
        let (va, vb, vc, vd) = (load(a + channel), load(b + channel), load(c + channel), load(d + channel))
        let (even, odd) = (va + vc, va - vc)
        let (evenMirror, oddMirror) = (vb + vd, vb - vd)
        store(even + evenMirror, target + channel)
        store(even - evenMirror, target + (size &+ channel))
        store(odd - oddMirror, target + (2 &* size &+ channel))
        store(odd + oddMirror, target + (3 &* size &+ channel))
        channel &+= width
      }
      while channel < channels {
        let (even, odd) = (a[channel] + c[channel], a[channel] - c[channel])
        let (evenMirror, oddMirror) = (b[channel] + d[channel], b[channel] - d[channel])
        target[channel] = even + evenMirror
        target[size + channel] = even - evenMirror
        target[2 * size + channel] = odd - oddMirror
        target[3 * size + channel] = odd + oddMirror
        channel &+= 1
      }
    }
  }

  private func unfold(into y: UnsafeMutablePointer<Float>, first: Int, count: Int, accumulate: Bool) {
    let half = points / 2
    let size = block * channels
    for row in 0..<count {
      let q = first + row
      let source = scratch.pointer + row * channels
      let a = y + q * channels
      let b = y + (half - q) * channels
      let c = y + (half + q) * channels
      let d = y + (points - q) * channels
      if q == 0 || 2 * q == half {
        for channel in 0..<channels {
          let even = source[channel] + source[size + channel]
          let odd = source[2 * size + channel] + source[3 * size + channel]
          a[channel] = (accumulate ? a[channel] : 0) + (even + odd)
          c[channel] = (accumulate ? c[channel] : 0) + (even - odd)
        }
        continue
      }
      var channel = 0
      while channel &+ width <= channels {
        let (ec, es) = (load(source + channel), load(source + (size &+ channel)))
        let (oc, os) = (load(source + (2 &* size &+ channel)), load(source + (3 &* size &+ channel)))
        let (even, evenMirror) = (ec + es, ec - es)
        let (odd, oddMirror) = (oc + os, os - oc)
        if accumulate {
          store(load(a + channel) + (even + odd), a + channel)
          store(load(b + channel) + (evenMirror + oddMirror), b + channel)
          store(load(c + channel) + (even - odd), c + channel)
          store(load(d + channel) + (evenMirror - oddMirror), d + channel)
        } else {
          store(even + odd, a + channel)
          store(evenMirror + oddMirror, b + channel)
          store(even - odd, c + channel)
          store(evenMirror - oddMirror, d + channel)
        }
        channel &+= width
      }
      while channel < channels {
        let (even, evenMirror) = (source[channel] + source[size + channel], source[channel] - source[size + channel])
        let (oc, os) = (source[2 * size + channel], source[3 * size + channel])
        a[channel] = (accumulate ? a[channel] : 0) + (even + (oc + os))
        b[channel] = (accumulate ? b[channel] : 0) + (evenMirror + (os - oc))
        c[channel] = (accumulate ? c[channel] : 0) + (even - (oc + os))
        d[channel] = (accumulate ? d[channel] : 0) + (evenMirror - (os - oc))
        channel &+= 1
      }
    }
  }
}

/// Cosine and sine of 2π·index/count with exact zeros and signs, by reflection into the first eighth of the circle.
private func unitCircle(_ index: Int, of count: Int) -> (cosine: Double, sine: Double) {
  let twice = 8 * index
  if twice > 4 * count {
    let mirror = unitCircle(count - index, of: count)
    return (mirror.cosine, -mirror.sine)
  }
  if twice > 2 * count {
    // cos(π − a) = −cos a; 2π·i/n → π − that is (n/2 − i), kept whole by doubling the circle.
    let mirror = unitCircle(count - 2 * index, of: 2 * count)
    return (-mirror.cosine, mirror.sine)
  }
  if twice > count {
    let mirror = unitCircle(count - 4 * index, of: 4 * count)
    return (mirror.sine, mirror.cosine)
  }
  let angle = 2 * Double.pi * Double(index) / Double(count)
  return (cos(angle), sin(angle))
}
